import type { RegisterCommand } from '../../command.ts'
import { ExitCode } from '../../exit-codes.ts'
import { groupsOf } from '../../kafka/groups.ts'
import { type ConnectionFlags, patienceOf, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { tableLines } from '../../output/table.ts'
import { belowTable, unknownLines } from '../../output/unknown.ts'

export const registerList: RegisterCommand = (groups, context) => {
  withConnectionOptions(
    groups
      .command('list')
      .description('Show all groups and their state')
      .option('--json', 'for programs: [{ group, state, protocol }]'),
  ).action((flags: ConnectionFlags & { readonly json?: boolean }) =>
    withKafka(context, flags, async (kafka) => {
      const { groups, unknown } = await kafka.admin().surveyGroupList(patienceOf(context))
      const listed = groups.map(({ group, state, type }) => ({ group, state, protocol: type }))
      const missing = unknown.map(groupsOf)
      if (missing.length > 0) context.exitWith(ExitCode.incomplete)
      if (flags.json) {
        // The list is what programs read: why it is not whole stands beside it.
        for (const line of unknownLines(missing)) context.terminal.note(line)
        return context.terminal.json(listed)
      }
      const rows = listed.map(({ group, state, protocol }) => [group, state, protocol])
      if (rows.length > 0) context.terminal.lines(tableLines(['GROUP', 'STATE', 'PROTOCOL'], rows))
      else context.terminal.line(missing.length > 0 ? 'no group is known' : 'there are no groups')
      context.terminal.lines(belowTable(unknownLines(missing)))
    }),
  )
}
