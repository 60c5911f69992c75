import type { RegisterCommand } from '../../command.ts'
import { ExitCode } from '../../exit-codes.ts'
import { addressOf, type GroupLag, isPresent, lagsOfGroups, throwRefusedGroup, unknownIn } from '../../kafka/groups.ts'
import { behind, partitionJson, partitionLines, unknownJson } from '../../kafka/lag-output.ts'
import { type ConnectionFlags, patienceOf, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { counted } from '../../output/figures.ts'
import { printable } from '../../output/printable.ts'
import { belowTable, unknownLines } from '../../output/unknown.ts'

export const registerDescribe: RegisterCommand = (groups, context) => {
  withConnectionOptions(
    groups
      .command('describe')
      .description('Show the members of groups, what each reads, and how far it is behind')
      .argument('<group...>')
      .option(
        '--json',
        'for programs: [{ group, protocol, state, epoch, assignor, members, lag, partitions, unknown }]',
      ),
  ).action((names: string[], flags: ConnectionFlags & { readonly json?: boolean }) =>
    withKafka(context, flags, async (kafka) => {
      const admin = kafka.admin()
      const lags = await lagsOfGroups(admin, names, patienceOf(context))
      const present = lags.groups.filter(isPresent)
      if (unknownIn(lags).length > 0) context.exitWith(ExitCode.incomplete)
      if (flags.json && present.length > 0) context.terminal.json(present.map(groupJson))
      for (const [index, group] of (flags.json ? [] : present).entries()) {
        if (index > 0) context.terminal.line()
        context.terminal.lines(describeLines(group))
      }
      await throwRefusedGroup(admin, lags)
    }),
  )
}

function groupJson(one: GroupLag) {
  const { group, description, lag, partitions } = one
  const { protocol = null, state = null, epoch = null, assignor = null, members = null } = description ?? {}
  return {
    group,
    protocol,
    state,
    epoch,
    assignor,
    members,
    lag,
    partitions: partitions.map(partitionJson),
    unknown: unknownJson(one),
  }
}

function describeLines(one: GroupLag): string[] {
  const { group, description, unknown } = one
  if (description === undefined) return [`${printable(group)}: not known`, ...belowTable(unknownLines(unknown))]
  const { state, protocol, assignor, members } = description
  const head = [
    `${group}: ${state}`,
    counted(members.length, 'member'),
    `${behind(one)} behind`,
    `${protocol} protocol`,
  ]
  const idle = members.filter(({ assignment }) => assignment.length === 0)
  return [
    printable([...head, ...(assignor === '' ? [] : [`assignor ${assignor}`])].join(', ')),
    '',
    ...partitionLines(one),
    ...idle.map(({ clientId, host }) => printable(`${clientId} at ${addressOf(host)} reads nothing`)),
  ]
}
