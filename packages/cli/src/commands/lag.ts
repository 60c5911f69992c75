import type { Admin } from '@sluice/kafka'
import { duration, wholeNumber } from '../arguments.ts'
import type { CommandContext, ConfigureCommand } from '../command.ts'
import { ExitCode } from '../exit-codes.ts'
import { interruptible } from '../interruptible.ts'
import {
  type GroupLag,
  type GroupLags,
  isPresent,
  lagsOfGroups,
  throwRefusedGroup,
  unknownIn,
} from '../kafka/groups.ts'
import {
  behind,
  goneLines,
  heldLines,
  lagCell,
  partitionJson,
  partitionLines,
  unknownJson,
} from '../kafka/lag-output.ts'
import { type ConnectionFlags, patienceOf, withConnectionOptions, withKafka } from '../kafka/open-kafka.ts'
import { counted, figure } from '../output/figures.ts'
import { printable } from '../output/printable.ts'
import { tableLines } from '../output/table.ts'
import { belowTable, unknownLines } from '../output/unknown.ts'
import { clockOf, watch } from '../output/watch.ts'

interface LagFlags extends ConnectionFlags {
  readonly failAbove?: number
  readonly watch?: number | true
  readonly json?: boolean
}

const defaultIntervalMs = 2_000

export const configureLag: ConfigureCommand = (command, context) => {
  withConnectionOptions(
    command
      .argument('[group]', 'default: all')
      .option(
        '--fail-above <count>',
        'exit with code 3 where a group is further behind, with 4 where that is not known',
        wholeNumber(0, 1e15),
      )
      .option('-w, --watch [interval]', 'repeat until q or Ctrl-C (default: every 2s)', duration)
      .option(
        '--json',
        'for programs: [{ group, state, members, lag, partitions, unknown }]; with --watch one per line',
      ),
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
  const lags = await look(admin, group, context)
  if (flags.json) {
    context.terminal.json(lags.groups.map(jsonOf))
    // The groups are what programs read: why some are missing stands beside them.
    for (const line of [...unknownLines(lags.unknown), ...othersLines(lags)]) context.terminal.note(line)
  } else context.terminal.lines(lagLines(lags, group))
  if (!judge(lags, flags, context) && unknownIn(lags).length > 0) context.exitWith(ExitCode.incomplete)
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
  const snapshot = async () => {
    const lags = await look(admin, group, context)
    if (judge(lags, flags, context)) enough.abort()
    return { lines: [clockOf(new Date()), '', ...lagLines(lags, group)], json: lags.groups.map(jsonOf) }
  }
  await watch(context.terminal, snapshot, {
    intervalMs: typeof flags.watch === 'number' ? flags.watch : defaultIntervalMs,
    json: flags.json ?? false,
    signal: AbortSignal.any([signal, enough.signal]),
  })
}

async function look(admin: Admin, group: string | undefined, context: CommandContext): Promise<GroupLags> {
  const lags = await lagsOfGroups(admin, group === undefined ? [] : [group], patienceOf(context))
  if (group !== undefined) await throwRefusedGroup(admin, lags)
  return { ...lags, groups: lags.groups.filter(isPresent) }
}

/** True: a group is further behind than was asked for, by what is known of it. */
function judge({ groups }: GroupLags, { failAbove }: LagFlags, { terminal, exitWith }: CommandContext): boolean {
  const beyond = failAbove === undefined ? [] : groups.filter(({ lag }) => lag !== null && lag > failAbove)
  for (const one of beyond) {
    const records = one.lag === 1 ? 'record' : 'records'
    terminal.note(printable(`${one.group} is ${behind(one)} ${records} behind, more than ${figure(failAbove!)}`))
  }
  if (beyond.length > 0) exitWith(ExitCode.beyondThreshold)
  return beyond.length > 0
}

function lagLines(lags: GroupLags, group: string | undefined): string[] {
  if (group !== undefined) return lags.groups.flatMap(linesOf)
  const { groups } = lags
  const rows = groups.map((one) => {
    return [one.group, one.description?.state, one.description?.members.length, lagCell(one)]
  })
  const empty = lags.unknown.length > 0 ? 'no group is known' : 'there are no groups'
  const below = [
    ...groups.flatMap(heldLines),
    ...groups.flatMap(goneLines),
    ...unknownLines(unknownIn(lags)),
    ...othersLines(lags),
  ]
  return [
    ...(rows.length === 0 ? [empty] : tableLines(['GROUP', 'STATE', 'MEMBERS', 'LAG'], rows)),
    ...belowTable(below),
  ]
}

/** Groups that have no lag, so that nobody looks for them in vain. */
function othersLines({ others }: GroupLags): string[] {
  return Array.from(
    Map.groupBy(others, ({ protocol }) => protocol),
    ([protocol, own]) =>
      printable(`left out: ${counted(own.length, `${protocol} group`)} (${own.map(({ group }) => group).join(', ')})`),
  )
}

function linesOf(one: GroupLag): string[] {
  const { group, description, lag } = one
  const records = lag === null ? '' : lag === 1 ? ' record' : ' records'
  return [
    printable(`${group}: ${description?.state ?? 'not known'}, ${behind(one)}${records} behind`),
    '',
    ...partitionLines(one),
  ]
}

function jsonOf(one: GroupLag) {
  const { group, description, lag, partitions } = one
  return {
    group,
    state: description?.state ?? null,
    members: description?.members.length ?? null,
    lag,
    partitions: partitions.map(partitionJson),
    unknown: unknownJson(one),
  }
}
