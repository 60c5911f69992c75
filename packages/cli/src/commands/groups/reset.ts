import type { Admin } from '@sluice/kafka'
import { InvalidArgumentError } from 'commander'
import { UsageError } from '../../cli-error.ts'
import type { RegisterCommand } from '../../command.ts'
import { describeGroup, requireNoMembers } from '../../kafka/groups.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { type OffsetChange, planReset, type Target } from '../../kafka/reset-plan.ts'
import { requireTopics } from '../../kafka/topics.ts'
import { counted } from '../../output/figures.ts'
import { type Plan, planned, type PlanFlags } from '../../output/plan.ts'
import { parsePlace, placeHelp, type Place } from '../../place.ts'
import { parseSelection, type Selection } from '../../selection.ts'

interface ResetFlags extends ConnectionFlags, PlanFlags {
  readonly to?: Place
  readonly shiftBy?: number
  readonly topic?: readonly Selection[]
  readonly allTopics?: boolean
  readonly new?: boolean
}

export const registerReset: RegisterCommand = (groups, context) => {
  withConnectionOptions(
    groups
      .command('reset')
      .description('Move the offsets of a group without members: shows the plan, and does it with --execute')
      .argument('<group>')
      .option('--to <place>', `${placeHelp}; -100 for the last hundred`, (text) => parsePlace(text))
      .option('--shift-by <count>', 'N records forward, or back with a minus', parseShift)
      .option(
        '-t, --topic <topic[:partitions]>',
        'such as orders or orders:0,2-5; more than once for more',
        parseSelection,
      )
      .option('--all-topics', 'every topic that the group has committed in')
      .option('--new', 'the group need not exist yet')
      .option('--execute', 'do it')
      .option('--json', 'for programs: { plan: { group, changes: [{ topic, partition, from, to }] }, executed }')
      .addHelpText(
        'after',
        `
Examples:
  sluice groups reset billing --to earliest --topic orders             shows what would change
  sluice groups reset billing --to earliest --topic orders --execute   changes it
  sluice groups reset billing --to 2026-11-26T10:30 --all-topics
  sluice groups reset billing --shift-by -100 --topic orders:0,2`,
      ),
  ).action((group: string, flags: ResetFlags) => {
    const target = targetOf(flags)
    requireSelection(flags)
    return withKafka(context, flags, async (kafka) => {
      const admin = kafka.admin()
      if (!flags.new) requireNoMembers(await describeGroup(admin, group))
      const selected = await selectionOf(admin, group, flags)
      const changes = await planReset(admin, group, selected, target)
      await planned(context.terminal, planOf(group, changes), flags, () =>
        admin.alterOffsets(group, commitsOf(changes)),
      )
    })
  })
}

function parseShift(text: string): number {
  if (/^[+-]?\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('expected a whole number, such as 100 or -100')
}

function targetOf({ to, shiftBy }: ResetFlags): Target {
  if ((to === undefined) === (shiftBy === undefined)) {
    throw new UsageError('exactly one of --to and --shift-by is required', 'give one of them')
  }
  return to ?? { at: 'shift', by: shiftBy! }
}

function requireSelection({ topic = [], allTopics = false }: ResetFlags): void {
  if (allTopics !== topic.length > 0) return
  throw new UsageError('exactly one of --topic and --all-topics is required', 'give one of them')
}

async function selectionOf(admin: Admin, group: string, flags: ResetFlags): Promise<readonly Selection[]> {
  const { topic = [], allTopics = false } = flags
  if (allTopics) {
    const names = new Set((await admin.committedOffsets(group)).map((offset) => offset.topic))
    return Array.from(names, (name) => ({ topic: name, partitions: undefined }))
  }
  await requireTopics(
    admin,
    topic.map((one) => one.topic),
  )
  return topic
}

function commitsOf(changes: readonly OffsetChange[]) {
  return changes.map(({ topic, partition, to }) => ({ topic, partition, offset: to }))
}

function planOf(group: string, changes: readonly OffsetChange[]): Plan {
  const moved = (sign: number): number =>
    changes.reduce((sum, { from, to }) => sum + Math.max(0, sign * (to - (from ?? to))), 0)
  return {
    summary:
      `set ${group} on ${counted(changes.length, 'partition')}: ` +
      `${counted(moved(-1), 'record')} again, ${counted(moved(1), 'record')} skipped`,
    titles: ['TOPIC', 'PARTITION', 'FROM', 'TO', 'CHANGE'],
    rows: changes.map(({ topic, partition, from, to }) => [
      topic,
      partition,
      from,
      to,
      from === null ? null : to - from,
    ]),
    json: { group, changes },
  }
}
