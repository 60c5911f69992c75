import { duration } from '../../arguments.ts'
import type { RegisterCommand } from '../../command.ts'
import { interruptible } from '../../interruptible.ts'
import {
  type GroupLag,
  type GroupLags,
  isPresent,
  lagsOfGroups,
  throwRefusedGroup,
  unknownIn,
} from '../../kafka/groups.ts'
import { lagCell, unknownJson } from '../../kafka/lag-output.ts'
import { type ConnectionFlags, patienceOf, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { tableLines } from '../../output/table.ts'
import { belowTable, unknownLines } from '../../output/unknown.ts'
import { clockOf, type Snapshot, watch } from '../../output/watch.ts'
import { Rates } from '../../rates.ts'

interface WatchFlags extends ConnectionFlags {
  readonly interval: number
  readonly json?: boolean
}

export const registerWatch: RegisterCommand = (groups, context) => {
  withConnectionOptions(
    groups
      .command('watch')
      .description('Show the state and lag of groups, redrawn in place until q or Ctrl-C')
      .argument('[group...]', 'default: all')
      .option('-i, --interval <duration>', 'how often', duration, 2_000)
      .option(
        '--json',
        'for programs, one JSON object per line: { time, groups: [{ group, state, members, lag, perSecond, unknown }] }',
      ),
  ).action((names: string[], flags: WatchFlags) =>
    interruptible(context, (signal) =>
      withKafka(context, flags, async (kafka) => {
        const admin = kafka.admin()
        const rates = new Rates()
        const look = async () => {
          const lags = await lagsOfGroups(admin, names, patienceOf(context))
          await throwRefusedGroup(admin, lags)
          return snapshotOf(lags, rates)
        }
        await watch(context.terminal, look, { intervalMs: flags.interval, json: flags.json ?? false, signal })
      }),
    ),
  )
}

function snapshotOf(lags: GroupLags, rates: Rates): Snapshot {
  const nowMs = performance.now()
  const shown = lags.groups.filter(isPresent).map((one) => ({ one, perSecond: rateOf(one, rates, nowMs) }))
  const rows = shown.map(({ one, perSecond }) => {
    return [one.group, one.description?.state, one.description?.members.length, lagCell(one), perSecond]
  })
  const groups = shown.map(({ one, perSecond }) => {
    const { group, description, lag } = one
    const { state = null, members } = description ?? {}
    return { group, state, members: members?.length ?? null, lag, perSecond, unknown: unknownJson(one) }
  })
  return {
    lines: [
      clockOf(new Date()),
      '',
      ...tableLines(['GROUP', 'STATE', 'MEMBERS', 'LAG', 'DONE/S'], rows),
      ...belowTable(unknownLines(unknownIn(lags))),
    ],
    json: { time: new Date().toISOString(), groups },
  }
}

/** Null while what it has committed is not known. */
function rateOf({ group, partitions, description }: GroupLag, rates: Rates, nowMs: number): number | null {
  if (description === undefined) return null
  return rates.next(
    group,
    partitions.reduce((sum, one) => sum + (one.committed ?? 0), 0),
    nowMs,
  )
}
