import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { ProducerOptions } from '@sluice/kafka'
import { InvalidArgumentError } from 'commander'
import { assignment, wholeNumber } from '../arguments.ts'
import { CliError, UsageError } from '../cli-error.ts'
import type { CommandContext, ConfigureCommand } from '../command.ts'
import { ExitCode } from '../exit-codes.ts'
import { interruptible } from '../interruptible.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../kafka/open-kafka.ts'
import { requirePartitions } from '../kafka/topics.ts'
import { counted } from '../output/figures.ts'
import { jsonParser, type LineParser, plainParser } from '../records/parse-line.ts'
import { rawTopic } from '../records/raw-topic.ts'
import { LineSender, type SendReport } from '../records/send-lines.ts'

interface ProduceFlags extends ConnectionFlags {
  readonly file?: string
  readonly input: 'lines' | 'json'
  readonly key?: string
  readonly keySeparator?: string
  readonly header?: ReadonlyMap<string, string>
  readonly partition?: number
  readonly maxRecordBytes?: number
  readonly json?: boolean
}

const MAX_RECORD_BYTES = 104_857_600
const DEFAULT_REQUEST_BYTES = 1_048_576

export const configureProduce: ConfigureCommand = (command, context) => {
  withConnectionOptions(
    command
      .argument('<topic>')
      .option('--file <path>', 'read this instead of the standard input')
      .option(
        '-i, --input <format>',
        'lines: the line is the value; json: one JSON object per line, as `tail --json` writes',
        parseInput,
        'lines',
      )
      .option('-k, --key <text>', 'the key of every record')
      .option('-s, --key-separator <text>', 'each line is key, separator, value')
      .option('--header <name=value>', 'a header of every record; more than once for more', assignment)
      .option('-p, --partition <number>', 'send all to this one (default: by key)', wholeNumber(0, 99_999))
      .option(
        '--max-record-bytes <count>',
        'how large a record may be (default: 1048576)',
        wholeNumber(1, MAX_RECORD_BYTES),
      )
      .option('--json', 'for programs: { acknowledged, failed, failures: [{ line, error }] }')
      .addHelpText(
        'after',
        `
Examples:
  echo hello | sluice produce orders              a value without a key
  sluice produce orders -s : --file orders.txt    key:value, one record per line
  sluice tail orders --from earliest --json | sluice produce copy -i json`,
      ),
  ).action((name: string, flags: ProduceFlags) => {
    const parse = parserOf(flags)
    return interruptible(context, (signal) => produce(context, name, flags, parse, signal))
  })
}

function parseInput(text: string): 'lines' | 'json' {
  if (text === 'lines' || text === 'json') return text
  throw new InvalidArgumentError('expected lines or json')
}

function parserOf({ input, key, keySeparator, header = new Map(), partition }: ProduceFlags): LineParser {
  const defaults = { key: key === undefined ? null : Buffer.from(key), headers: [...header], partition }
  if (keySeparator === undefined) return input === 'json' ? jsonParser(defaults) : plainParser(defaults, undefined)
  if (keySeparator === '') throw new UsageError('the key separator is empty', 'give at least one character')
  if (key !== undefined || input === 'json') {
    throw new UsageError('--key-separator, --key and --input json exclude each other', 'give one of them')
  }
  return plainParser(defaults, keySeparator)
}

async function produce(
  context: CommandContext,
  name: string,
  flags: ProduceFlags,
  parse: LineParser,
  signal: AbortSignal,
): Promise<void> {
  const { terminal, exitWith } = context
  const source = await openSource(flags.file, signal)
  await withKafka(context, flags, async (kafka) => {
    await requirePartitions(kafka.admin(), name, flags.partition === undefined ? [] : [flags.partition])
    await using producer = await kafka.producer({ ...sizesOf(flags), addHeaders: false, deadLetters: false })
    if (flags.file === undefined && process.stdin.isTTY) terminal.note('one record per line; Ctrl-D ends')
    const sender = new LineSender(terminal, producer, await rawTopic(name), parse)
    try {
      await sender.run(source, signal)
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      // What was read is on its way.
      await sender.finish()
      tell(context, sender.report, flags.json ?? false)
    }
    if (sender.report.failed > 0) exitWith(ExitCode.failed)
  })
}

function sizesOf({ maxRecordBytes }: ProduceFlags): ProducerOptions {
  if (maxRecordBytes === undefined) return {}
  return { maxRecordBytes, maxRequestBytes: Math.max(maxRecordBytes, DEFAULT_REQUEST_BYTES) }
}

async function openSource(path: string | undefined, signal: AbortSignal): Promise<AsyncIterable<Buffer>> {
  const stream = path === undefined ? process.stdin : createReadStream(await readable(path))
  signal.addEventListener('abort', () => stream.destroy(), { once: true })
  return stream
}

async function readable(path: string): Promise<string> {
  try {
    if ((await stat(path)).isDirectory()) throw new Error('it is a folder')
    return path
  } catch (error) {
    throw new CliError('file_unreadable', `${path} cannot be read: ${(error as Error).message}`, 'check the path')
  }
}

function tell({ terminal }: CommandContext, report: SendReport, json: boolean): void {
  if (json) return terminal.json(report)
  const failed = report.failed === 0 ? '' : `, ${counted(report.failed, 'line')} failed`
  terminal.line(`${counted(report.acknowledged, 'record')} acknowledged${failed}`)
}
