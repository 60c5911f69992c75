import type { ReplayOptions, ReplayReport } from '@sluice/kafka'
import { InvalidArgumentError } from 'commander'
import { wholeNumber } from '../../arguments.ts'
import type { RegisterCommand } from '../../command.ts'
import { interruptible } from '../../interruptible.ts'
import { CliError, UsageError } from '../../cli-error.ts'
import { printable } from '../../output/printable.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { counted, figure } from '../../output/figures.ts'
import { type Plan, planned, type PlanFlags } from '../../output/plan.ts'
import { type LetterFlags, letterMatcher, openLetters, withLetterOptions } from '../../records/letters.ts'

interface ReplayFlags extends ConnectionFlags, LetterFlags, PlanFlags {
  readonly rate?: number
  readonly limit?: number
  readonly name?: string
  readonly includeUnknown?: boolean
  readonly toOrigin?: boolean
  readonly to?: string
}

export const registerReplay: RegisterCommand = (dlq, context) => {
  withConnectionOptions(
    withLetterOptions(
      dlq
        .command('replay')
        .description('Send dead letters back to the group that failed: shows the plan, and does it with --execute')
        .argument('<topic>', 'the topic that they are from, or that of the letters'),
    )
      .option('--to-origin', 'to the topic they are from, where every group sees them again')
      .option('--to <topic>', 'to this topic, also letters that are from others')
      .option('--rate <count>', 'at most N letters per second', wholeNumber(1, 1e9))
      .option('-l, --limit <count>', 'stop after N letters', wholeNumber(1, 1e9))
      .option('--name <name>', 'continue where the earlier replay of this name stopped', parseName)
      .option('--include-unknown', 'also those that may be in their topic already')
      .option('--execute', 'do it')
      .option('--json', 'for programs: { plan, executed }'),
  ).action((source: string, flags: ReplayFlags) => {
    if (flags.toOrigin && flags.to !== undefined) {
      throw new UsageError('--to and --to-origin exclude each other', 'give one of them')
    }
    return interruptible(context, (signal) =>
      withKafka(context, flags, async (kafka) => {
        const { terminal } = context
        const letters = await openLetters(kafka, source)
        const { rate: ratePerSecond, limit, name, includeUnknown, toOrigin, to: toTopic } = flags
        const to = toOrigin ? 'origin' : 'retry'
        const options: ReplayOptions = { to, toTopic, where: letterMatcher(flags), limit, name, includeUnknown, signal }
        const plan = await planOf(letters.topic, await letters.replay({ ...options, dryRun: true }))
        await planned(terminal, plan, flags, async () => {
          const onProgress = ({ replayed }: ReplayReport): void => terminal.progress(`replayed ${figure(replayed)}`)
          const report = await letters.replay({ ...options, ratePerSecond, onProgress })
          if (!flags.json) terminal.line(`replayed ${counted(report.replayed, 'letter')}`)
          if (report.failed > 0) throw incomplete(letters.topic, report)
        })
      }),
    )
  })
}

async function planOf(topic: string, report: ReplayReport): Promise<Plan> {
  const { isRetryTopic } = await import('@sluice/kafka')
  const {
    replayed,
    to,
    filtered,
    unknown,
    unreadable,
    withoutRetryTopic,
    foreign,
    incomplete: reduced,
    failed,
  } = report
  const rows = Object.entries(to).map(([name, letters]) => ({ topic: name, letters }))
  const shared = Object.keys(to).filter((name) => !isRetryTopic(name))
  const left = [
    [unknown, 'may be in their topic already: they stay here, unless --include-unknown is given'],
    [
      withoutRetryTopic,
      'failed in a group that reads no retry topic (`retry.topicAfterMs`): they stay here, unless --to-origin is given',
    ],
    [unreadable, 'have no header that says where they came from: they stay here'],
    [foreign, 'say that they are from another topic: they stay here, unless --to names a topic for all'],
    [reduced, 'were written without their value, headers or key: they stay here'],
    [failed, `cannot be sent: they stay here (${reasonsOf(report)})`],
  ] as const
  return {
    summary: `send ${counted(replayed, 'letter')} of ${topic} back`,
    titles: ['TO', 'LETTERS'],
    rows: rows.map((row) => [row.topic, row.letters]),
    warnings: [
      ...(shared.length > 0 ? [`every group that reads ${shared.join(', ')} sees them again`] : []),
      ...left.filter(([count]) => count > 0).map(([count, what]) => `${figure(count)} ${what}`),
      'the letters stay in their topic until `dlq purge`',
    ],
    json: {
      from: topic,
      replayed,
      to: rows,
      filtered,
      unknown,
      unreadable,
      withoutRetryTopic,
      foreign,
      incomplete: reduced,
      failed,
      failures: report.failures,
    },
  }
}

const shownFailures = 5

/** The first few, by letter. */
function reasonsOf({ failures, failed }: ReplayReport): string {
  const shown = failures
    .slice(0, shownFailures)
    .map(({ partition, offset, reason }) => `${partition}:${offset}: ${printable(reason)}`)
  return [...shown, ...(failed > shown.length ? [`${figure(failed - shown.length)} more`] : [])].join('; ')
}

function incomplete(topic: string, report: ReplayReport): CliError {
  return new CliError(
    'replay_incomplete',
    `${counted(report.failed, 'letter')} of ${topic} could not be sent: ${reasonsOf(report)}`,
    'the others were sent; these stay in their topic',
  )
}

/** It becomes a part of a group's name. */
function parseName(text: string): string {
  if (/^[\w.-]{1,64}$/.test(text)) return text
  throw new InvalidArgumentError('expected 1 to 64 letters, digits, dots, dashes and underscores')
}
