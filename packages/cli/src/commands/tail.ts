import type { Admin, Isolation, Kafka, ReadFrom, SurveyOptions } from '@sluice/kafka'
import { partitionList, wholeNumber } from '../arguments.ts'
import { UsageError } from '../cli-error.ts'
import type { CommandContext, ConfigureCommand } from '../command.ts'
import { interruptible } from '../interruptible.ts'
import { ExitCode } from '../exit-codes.ts'
import { type ConnectionFlags, patienceOf, withConnectionOptions, withKafka } from '../kafka/open-kafka.ts'
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
import { followLate, type Reach, reachLines, reachOf } from '../records/reach.ts'
import { showNewest, showRecords, type Shown, type ShowOptions } from '../records/show.ts'
import { type Ends, endsAt, lastBefore } from '../records/until.ts'

interface TailFlags extends ConnectionFlags, RecordFilter {
  readonly from?: Place
  readonly until?: Place
  readonly newest?: number
  readonly follow?: boolean
  readonly partitions?: readonly number[]
  readonly limit?: number
  readonly uncommitted?: boolean
  readonly json?: boolean
  readonly raw?: boolean
  readonly format?: RecordFormat
  readonly allHeaders?: boolean
}

const DEFAULT_COUNT = 10
const MAX_COUNT = 100_000

export const configureTail: ConfigureCommand = (command, context) => {
  withConnectionOptions(
    command
      .argument('<topic>')
      .option('--from <place>', placeHelp, (text) => parsePlace(text))
      .option('--until <place>', 'stop before this offset or this time in each partition', (text) => parsePlace(text))
      .option('-f, --follow', 'keep showing new records until Ctrl-C')
      .option('-n, --newest <count>', 'start with the newest N (default: 10)', wholeNumber(0, MAX_COUNT))
      .option('-l, --limit <count>', 'stop after N', wholeNumber(1, 1e15))
      .option('-p, --partitions <list>', 'only these, such as 0,2-5', partitionList)
      .option('-k, --key <text>', 'only records with this key')
      .option('--header <name[=value]>', 'only records with this header; more than once for more', parseHeaderFilter)
      .option('-g, --grep <text>', 'only records with this text in their key or value')
      .option('--uncommitted', 'also records of transactions that are open or were aborted')
      .option('--json', 'one JSON object per line: { topic, partition, offset, timestamp, key, value, headers }')
      .option(
        '--all-headers',
        'also the headers that Sluice and tracing add: trace-id, timestamp, traceparent, tracestate',
      )
      .option('--raw', 'the value alone, byte by byte')
      .option('--format <template>', `a line of your own: ${templateHelp}`, templateFormat)
      .addHelpText(
        'after',
        `
Examples:
  sluice tail orders -f                           the newest ten, then new ones
  sluice tail orders --from 15m --key user-1      one key, of the last 15 minutes
  sluice tail orders --from 10:00 --until 10:30   what came in between
  sluice tail orders --from earliest --json > orders.jsonl
  sluice tail orders -f --format '{time} {key}\\t{value}'`,
      ),
  ).action((name: string, flags: TailFlags) => {
    const format = formatOf(context, flags)
    requireSense(flags)
    return interruptible(context, (signal) =>
      withKafka(context, flags, async (kafka) => {
        using _reader = flags.follow ? context.terminal.endWithReader() : undefined
        await requirePartitions(kafka.admin(), name, flags.partitions)
        const reach = await reachOf(kafka.admin(), name, flags.partitions, patienceOf(context))
        for (const line of reachLines(reach, flags)) context.terminal.note(line)
        const until = await untilOf(kafka.admin(), name, flags, patienceOf(context))
        const options = { ...optionsOf(await rawTopic(name), flags), until, format, signal }
        const unread = await tailReachable(context, kafka, flags, { reach, options })
        if (unread > 0) context.exitWith(ExitCode.incomplete)
      }),
    )
  })
}

/** Shows what can be read, and follows what comes back. Returns how many partitions could not be read. */
async function tailReachable(
  context: CommandContext,
  kafka: Kafka,
  flags: TailFlags,
  { reach, options }: { readonly reach: Reach; readonly options: ShowOptions },
): Promise<number> {
  const { terminal } = context
  const enough = new AbortController()
  const signal = AbortSignal.any([options.signal, enough.signal])
  const lateOptions = { ...options, signal, patience: patienceOf(context) }
  const late = flags.follow ? followLate(terminal, kafka, reach, lateFrom(flags), lateOptions) : undefined
  // Without a choice of partitions those that are added are followed too.
  const partitions = reach.unknown.length === 0 ? flags.partitions : reach.partitions
  const { read, shown } = await tail(context, kafka, flags, { ...options, read: { ...options.read, partitions } })
  if (reach.partitions.length > 0) enough.abort()
  const unread = (await late) ?? reach.unknown
  const all = counted(read, 'record')
  terminal.note(read === shown ? all : `${figure(shown)} of ${all}`)
  return unread.length
}

/** What comes back has to be shown from where the user said; where that is the end, from when it is back. */
function lateFrom(flags: TailFlags): ReadFrom {
  const from = beginning(flags)
  return from.at === 'last' ? 'latest' : readFrom(from)
}

function requireSense({ from, until, newest, follow }: TailFlags): void {
  if (until !== undefined && follow) {
    throw new UsageError('--until and --follow exclude each other', 'give one of them')
  }
  if (until !== undefined && until.at !== 'offset' && until.at !== 'time') {
    throw new UsageError('--until takes an offset or a time', 'leave it out to read to the end')
  }
  if (from !== undefined && newest !== undefined) {
    throw new UsageError('--from and --newest exclude each other', 'give one of them')
  }
  if (from?.at === 'latest' && !follow) {
    throw new UsageError('nothing comes after `latest` without --follow', 'add --follow to see what comes')
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

function formatOf({ terminal }: CommandContext, { json, raw, format, allHeaders = false }: TailFlags): RecordFormat {
  if ([json, raw, format].filter((one) => one !== undefined).length > 1) {
    throw new UsageError('--json, --raw and --format exclude each other', 'give one of them')
  }
  if (json) return jsonFormat
  if (raw) return rawFormat(terminal)
  return format ?? lineFormat({ isScreen: terminal.isScreen, allHeaders })
}

function optionsOf(topic: RawTopic, flags: TailFlags): Omit<ShowOptions, 'format' | 'signal'> {
  return {
    read: {
      topics: [topic],
      follow: flags.follow ?? false,
      isolation: isolationOf(flags),
      partitions: flags.partitions,
    },
    matches: matcherOf(flags),
    limit: flags.limit ?? Infinity,
  }
}

/** Undefined: to the end. */
async function untilOf(
  admin: Admin,
  topic: string,
  flags: TailFlags,
  patience: SurveyOptions,
): Promise<Ends | undefined> {
  const { until } = flags
  if (until === undefined || (until.at !== 'offset' && until.at !== 'time')) return undefined
  return await endsAt(admin, topic, until, { ...patience, isolation: isolationOf(flags) })
}

function isolationOf({ uncommitted }: TailFlags): Isolation {
  return uncommitted ? 'read_uncommitted' : 'read_committed'
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
  const { topics, partitions } = options.read
  const read = { ...options.read, from: newestFrom(topics[0]!.name, from.count, options.until, partitions) }
  const first = await showNewest(terminal, kafka, from.count, { ...options, read })
  if (!follow || first.shown === limit || options.signal.aborted) return first
  const more = await showRecords(terminal, kafka, {
    ...options,
    read: { ...options.read, from: { offsets: first.offsets } },
    limit: options.limit - first.shown,
  })
  return { read: first.read + more.read, shown: first.shown + more.shown }
}

/** The newest before the end, or before where reading is to stop. */
function newestFrom(
  topic: string,
  count: number,
  until: Ends | undefined,
  only: readonly number[] | undefined,
): ReadFrom {
  if (until === undefined) return { last: count }
  return { offsets: lastBefore(until, topic, count).filter(({ partition }) => only?.includes(partition) ?? true) }
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
