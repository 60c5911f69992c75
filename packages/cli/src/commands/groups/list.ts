import type { RegisterCommand } from '../../command.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { tableLines } from '../../output/table.ts'

export const registerList: RegisterCommand = (groups, context) => {
  withConnectionOptions(
    groups
      .command('list')
      .description('Show all groups and their state')
      .option('--json', 'for programs: [{ group, state, protocol }]'),
  ).action((flags: ConnectionFlags & { readonly json?: boolean }) =>
    withKafka(context, flags, async (kafka) => {
      const listed = (await kafka.admin().listGroups()).map(({ group, state, type }) => ({
        group,
        state,
        protocol: type,
      }))
      if (flags.json) return context.terminal.json(listed)
      if (listed.length === 0) return context.terminal.line('there are no groups')
      const rows = listed.map(({ group, state, protocol }) => [group, state, protocol])
      context.terminal.lines(tableLines(['GROUP', 'STATE', 'PROTOCOL'], rows))
    }),
  )
}
