import type { Admin } from '@sluice/kafka'
import { duration, wholeNumber } from '../arguments.ts'
import type { CommandContext, RegisterCommand } from '../command.ts'
import { ExitCode } from '../exit-codes.ts'
import { interruptible } from '../interruptible.ts'
import { type GroupLag, lagsOfGroups, partitionRow, partitionTitles } from '../kafka/groups.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../kafka/open-kafka.ts'
import { counted, figure } from '../output/figures.ts'
import { printable } from '../output/printable.ts'
import { tableLines } from '../output/table.ts'
import { clockOf, watch } from '../output/watch.ts'

interface LagFlags extends ConnectionFlags {
  readonly failAbove?: number
  readonly watch?: number | true
  readonly json?: boolean
}

const defaultIntervalMs = 2_000

export const registerLag: RegisterCommand = (program, context) => {
  withConnectionOptions(
    program
      .command('lag')
      .description('Show how many records groups are behind; of one group, by partition')
      .argument('[group]', 'default: all')
      .option('--fail-above <count>', 'end with code 3 where a group is further behind', wholeNumber(0, 1e15))
      .option('-w, --watch [interval]', 'look again and again until Ctrl-C (default: every 2s)', duration)
      .option('--json', 'for programs: [{ group, state, members, lag, partitions }]; with --watch one a line'),
  ).action((group: string | undefined, flags: LagFlags) =>
    flags.watch === undefined
      ? withKafka(context, flags, (kafka) => showOnce(kafka.admin(), group, flags, context))
      : interruptible(context, (signal) =>
          withKafka(context, flags, (kafka) => showAgain(kafka.admin(), group, flags, context, signal)),
        ),
  )
}

async function showOnce(
  admin: Admin,
  group: string | undefined,
  flags: LagFlags,
  context: CommandContext,
): Promise<void> {
  const lags = await lagsOfGroups(admin, group === undefined ? [] : [group])
  if (flags.json) context.terminal.json(lags.map(jsonOf))
  else context.terminal.lines(lagLines(lags, group))
  judge(lags, flags, context)
}

/** Until Ctrl-C, or a group is further behind than it may be. */
async function showAgain(
  admin: Admin,
  group: string | undefined,
  flags: LagFlags,
  context: CommandContext,
  signal: AbortSignal,
): Promise<void> {
  const enough = new AbortController()
  const look = async () => {
    const lags = await lagsOfGroups(admin, group === undefined ? [] : [group])
    if (judge(lags, flags, context)) enough.abort()
    return { lines: [clockOf(new Date()), '', ...lagLines(lags, group)], json: lags.map(jsonOf) }
  }
  await watch(context.terminal, look, {
    intervalMs: typeof flags.watch === 'number' ? flags.watch : defaultIntervalMs,
    json: flags.json ?? false,
    signal: AbortSignal.any([signal, enough.signal]),
  })
}

/** True: a group is further behind than was asked for. */
function judge(lags: readonly GroupLag[], { failAbove }: LagFlags, { terminal, exitWith }: CommandContext): boolean {
  const beyond = failAbove === undefined ? [] : lags.filter(({ lag }) => lag > failAbove)
  for (const { group, lag } of beyond) {
    terminal.note(printable(`${group} is ${counted(lag, 'record')} behind, more than ${figure(failAbove!)}`))
  }
  if (beyond.length > 0) exitWith(ExitCode.beyondThreshold)
  return beyond.length > 0
}

function lagLines(lags: readonly GroupLag[], group: string | undefined): string[] {
  if (group === undefined) {
    if (lags.length === 0) return ['there are no groups']
    const rows = lags.map((one) => [one.group, one.state, one.members.length, one.lag])
    return tableLines(['GROUP', 'STATE', 'MEMBERS', 'LAG'], rows)
  }
  return lags.flatMap(({ group: name, state, lag, partitions }) => [
    `${printable(name)}: ${state}, ${counted(lag, 'record')} behind`,
    '',
    ...(partitions.length === 0 ? ['nothing is committed'] : tableLines(partitionTitles, partitions.map(partitionRow))),
  ])
}

function jsonOf({ group, state, members, lag, partitions }: GroupLag) {
  return { group, state, members: members.length, lag, partitions }
}
