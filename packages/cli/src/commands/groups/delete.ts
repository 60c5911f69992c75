import type { RegisterCommand } from '../../command.ts'
import { describeGroup, requireNoMembers } from '../../kafka/groups.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { planned, type PlanFlags } from '../../output/plan.ts'

export const registerDelete: RegisterCommand = (groups, context) => {
  withConnectionOptions(
    groups
      .command('delete')
      .description(
        'Delete a group without members and all that it has committed: shows the plan, and does it with --execute',
      )
      .argument('<group>')
      .option('--execute', 'do it')
      .option('--json', 'for programs: { plan, executed }'),
  ).action((group: string, flags: ConnectionFlags & PlanFlags) =>
    withKafka(context, flags, async (kafka) => {
      const admin = kafka.admin()
      requireNoMembers(await describeGroup(admin, group))
      const offsets = await admin.committedOffsets(group)
      const plan = {
        summary: `delete the group ${group} and what it has committed`,
        titles: ['TOPIC', 'PARTITION', 'COMMITTED'],
        rows: offsets.map(({ topic, partition, offset }) => [topic, partition, offset]),
        warnings: ['the group begins by its reset policy when it comes back'],
        json: { group, offsets: offsets.map(({ topic, partition, offset }) => ({ topic, partition, offset })) },
      }
      await planned(context.terminal, plan, flags, () => admin.deleteGroup(group))
    }),
  )
}
