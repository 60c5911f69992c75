import type { Kafka, ReadFrom } from '@sluice/kafka'
import { partitionList, wholeNumber } from '../arguments.ts'
import { UsageError } from '../cli-error.ts'
import type { CommandContext, RegisterCommand } from '../command.ts'
import { interruptible } from '../interruptible.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../kafka/open-kafka.ts'
import { requirePartitions } from '../kafka/topics.ts'
import { counted, figure } from '../output/figures.ts'
import { parsePlace, placeHelp, type Place } from '../place.ts'
import { matcherOf, parseHeaderFilter, type RecordFilter } from '../records/filter.ts'
import {
  jsonFormat,
  lineFormat,
  rawFormat,
  type RecordFormat,
  templateFormat,
  templateHelp,
} from '../records/formats.ts'
import { type RawTopic, rawTopic } from '../records/raw-topic.ts'
import { showNewest, showRecords, type Shown, type ShowOptions } from '../records/show.ts'

interface TailFlags extends ConnectionFlags, RecordFilter {
  readonly from?: Place
  readonly newest?: number
  readonly follow?: boolean
  readonly partitions?: readonly number[]
  readonly limit?: number
  readonly uncommitted?: boolean
  readonly json?: boolean
  readonly raw?: boolean
  readonly format?: RecordFormat
}

const DEFAULT_COUNT = 10
const MAX_COUNT = 100_000

export const registerTail: RegisterCommand = (program, context) => {
  withConnectionOptions(
    program
      .command('tail')
      .description(
        'Show records of a topic without joining a group: the newest 10, all that fit a filter, or from a place',
      )
      .argument('<topic>')
      .option('--from <place>', placeHelp, (text) => parsePlace(text))
      .option('-f, --follow', 'go on with what comes, until Ctrl-C')
      .option('-n, --newest <count>', 'begin with the newest so many (default: 10)', wholeNumber(0, MAX_COUNT))
      .option('-l, --limit <count>', 'end after so many', wholeNumber(1, 1e15))
      .option('-p, --partitions <list>', 'only these, such as 0,2-5', partitionList)
      .option('-k, --key <text>', 'only records with this key')
      .option('--header <name[=value]>', 'only records with this header; more than once for more', parseHeaderFilter)
      .option('-g, --grep <text>', 'only records with this text in their key or value')
      .option('--uncommitted', 'also records of transactions that are open or were aborted')
      .option('--json', 'an object a line: { topic, partition, offset, timestamp, key, value, headers }')
      .option('--raw', 'the value alone, byte by byte')
      .option('--format <template>', `a line of your own: ${templateHelp}`, templateFormat)
      .addHelpText(
        'after',
        `
Examples:
  sluice tail orders -f                           the newest ten, then what comes
  sluice tail orders --from 15m --key user-1      of the last quarter of an hour, one key
  sluice tail orders --from earliest --json > orders.jsonl
  sluice tail orders -f --format '{time} {key}\\t{value}'`,
      ),
  ).action((name: string, flags: TailFlags) => {
    const format = formatOf(context, flags)
    requireSense(flags)
    return interruptible(context, (signal) =>
      withKafka(context, flags, async (kafka) => {
        await requirePartitions(kafka.admin(), name, flags.partitions)
        const { read, shown } = await tail(context, kafka, flags, {
          ...optionsOf(await rawTopic(name), flags),
          format,
          signal,
        })
        const all = counted(read, 'record')
        context.terminal.note(read === shown ? all : `${figure(shown)} of ${all}`)
      }),
    )
  })
}

function requireSense({ from, newest, follow }: TailFlags): void {
  if (from !== undefined && newest !== undefined) {
    throw new UsageError('where to begin is said twice', 'give one of --from and --newest')
  }
  if (from?.at === 'latest' && !follow) {
    throw new UsageError('there is nothing behind the end yet', 'add --follow to see what comes')
  }
  if (from?.at === 'last' && from.count > MAX_COUNT) {
    throw new UsageError(
      `the newest ${from.count} are too many`,
      `ask for ${MAX_COUNT} at most, or begin at a time or an offset`,
    )
  }
}

/** Without a word about it: the newest; with a filter all that there is, since the newest may not have it. */
function beginning(flags: TailFlags): Place {
  const { from, newest, follow, limit = Infinity } = flags
  if (from !== undefined) return from
  if (newest === undefined && matcherOf(flags) !== undefined) return { at: follow ? 'latest' : 'earliest' }
  return { at: 'last', count: newest ?? (follow ? DEFAULT_COUNT : Math.min(DEFAULT_COUNT, limit)) }
}

function formatOf({ terminal }: CommandContext, { json, raw, format }: TailFlags): RecordFormat {
  if ([json, raw, format].filter((one) => one !== undefined).length > 1) {
    throw new UsageError('more than one format is asked for', 'choose one of --json, --raw, --format')
  }
  if (json) return jsonFormat
  if (raw) return rawFormat(terminal)
  return format ?? lineFormat(terminal)
}

function optionsOf(topic: RawTopic, flags: TailFlags): Omit<ShowOptions, 'format' | 'signal'> {
  return {
    read: {
      topics: [topic],
      follow: flags.follow ?? false,
      isolation: flags.uncommitted ? 'read_uncommitted' : 'read_committed',
      partitions: flags.partitions,
    },
    matches: matcherOf(flags),
    limit: flags.limit ?? Infinity,
  }
}

async function tail(
  { terminal }: CommandContext,
  kafka: Kafka,
  flags: TailFlags,
  options: ShowOptions,
): Promise<Shown> {
  const { follow, limit } = flags
  const from = beginning(flags)
  if (from.at !== 'last') {
    return await showRecords(terminal, kafka, { ...options, read: { ...options.read, from: readFrom(from) } })
  }
  const read = { ...options.read, from: { last: from.count } }
  const first = await showNewest(terminal, kafka, from.count, { ...options, read })
  if (!follow || first.shown === limit || options.signal.aborted) return first
  const more = await showRecords(terminal, kafka, {
    ...options,
    read: { ...options.read, from: { offsets: first.offsets } },
    limit: options.limit - first.shown,
  })
  return { read: first.read + more.read, shown: first.shown + more.shown }
}

function readFrom(place: Exclude<Place, { at: 'last' }>): ReadFrom {
  switch (place.at) {
    case 'offset':
      return { offset: place.offset }
    case 'time':
      return { timestampMs: place.timestampMs }
    default:
      return place.at
  }
}
