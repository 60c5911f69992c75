import type { Admin } from '@sluice/kafka'
import { duration } from '../../arguments.ts'
import type { RegisterCommand } from '../../command.ts'
import { interruptible } from '../../interruptible.ts'
import { lagsOfGroups } from '../../kafka/groups.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { tableLines } from '../../output/table.ts'
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
      .description('Show how groups get on, drawn again in place until Ctrl-C')
      .argument('[group...]', 'default: all')
      .option('-i, --interval <duration>', 'how often', duration, 2_000)
      .option(
        '--json',
        'for programs, an object a line: { time, groups: [{ group, state, members, lag, perSecond }] }',
      ),
  ).action((names: string[], flags: WatchFlags) =>
    interruptible(context, (signal) =>
      withKafka(context, flags, async (kafka) => {
        const admin = kafka.admin()
        const rates = new Rates()
        const look = (): Promise<Snapshot> => snapshotOf(admin, names, rates)
        await watch(context.terminal, look, { intervalMs: flags.interval, json: flags.json ?? false, signal })
      }),
    ),
  )
}

async function snapshotOf(admin: Admin, names: readonly string[], rates: Rates): Promise<Snapshot> {
  const nowMs = performance.now()
  const groups = (await lagsOfGroups(admin, names)).map(({ group, state, members, lag, partitions }) => {
    const committed = partitions.reduce((sum, one) => sum + (one.committed ?? 0), 0)
    return { group, state, members: members.length, lag, perSecond: rates.next(group, committed, nowMs) }
  })
  const rows = groups.map((one) => [one.group, one.state, one.members, one.lag, one.perSecond])
  return {
    lines: [clockOf(new Date()), '', ...tableLines(['GROUP', 'STATE', 'MEMBERS', 'LAG', 'DONE/S'], rows)],
    json: { time: new Date().toISOString(), groups },
  }
}
