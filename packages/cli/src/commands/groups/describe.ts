import type { RegisterCommand } from '../../command.ts'
import { addressOf, type GroupLag, lagsOfGroups, partitionRow, partitionTitles } from '../../kafka/groups.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { counted, figure } from '../../output/figures.ts'
import { printable } from '../../output/printable.ts'
import { tableLines } from '../../output/table.ts'

export const registerDescribe: RegisterCommand = (groups, context) => {
  withConnectionOptions(
    groups
      .command('describe')
      .description('Show the members of groups, what each reads, and how far it is behind')
      .argument('<group...>')
      .option('--json', 'for programs: [{ group, protocol, state, epoch, assignor, members, lag, partitions }]'),
  ).action((names: string[], flags: ConnectionFlags & { readonly json?: boolean }) =>
    withKafka(context, flags, async (kafka) => {
      const admin = kafka.admin()
      const described = await lagsOfGroups(admin, names)
      if (flags.json) return context.terminal.json(described)
      for (const [index, group] of described.entries()) {
        if (index > 0) context.terminal.line()
        context.terminal.lines(describeLines(group))
      }
    }),
  )
}

function describeLines(described: GroupLag): string[] {
  const { group, state, protocol, assignor, members, lag, partitions } = described
  const head = [
    `${printable(group)}: ${state}`,
    counted(members.length, 'member'),
    `${figure(lag)} behind`,
    `${protocol} protocol`,
  ]
  const idle = members.filter(({ assignment }) => assignment.length === 0)
  return [
    [...head, ...(assignor === '' ? [] : [`assignor ${printable(assignor)}`])].join(', '),
    '',
    ...(partitions.length === 0 ? ['nothing is committed'] : tableLines(partitionTitles, partitions.map(partitionRow))),
    ...idle.map(({ clientId, host }) => printable(`${clientId} at ${addressOf(host)} reads nothing`)),
  ]
}
