import { CliError } from '../../cli-error.ts'
import type { RegisterCommand } from '../../command.ts'
import { describeGroup } from '../../kafka/groups.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { counted } from '../../output/figures.ts'
import { planned, type PlanFlags } from '../../output/plan.ts'
import { isSelected, parseSelection, type Selection } from '../../selection.ts'

interface DeleteOffsetsFlags extends ConnectionFlags, PlanFlags {
  readonly topic: readonly Selection[]
}

export const registerDeleteOffsets: RegisterCommand = (groups, context) => {
  withConnectionOptions(
    groups
      .command('delete-offsets')
      .description(
        'Delete what a group has committed in a topic that it does not read: shows the plan, and does it with --execute',
      )
      .argument('<group>')
      .requiredOption(
        '-t, --topic <topic[:partitions]>',
        'such as orders or orders:0,2-5; more than once for more',
        parseSelection,
      )
      .option('--execute', 'do it')
      .option('--json', 'for programs: { plan: { group, offsets: [{ topic, partition, offset }] }, executed }'),
  ).action((group: string, flags: DeleteOffsetsFlags) =>
    withKafka(context, flags, async (kafka) => {
      const admin = kafka.admin()
      // The topic may be gone: what was committed in it is then what is to be deleted.
      await describeGroup(admin, group)
      const committed = (await admin.committedOffsets(group)).filter(isSelected(flags.topic))
      if (committed.length === 0) {
        const names = flags.topic.map(({ topic }) => topic).join(', ')
        const remedy = `\`sluice groups describe ${group}\` shows where it has`
        throw new CliError('offsets_none', `${group} has committed nothing there: ${names}`, remedy)
      }
      const offsets = committed.map(({ topic, partition, offset }) => ({ topic, partition, offset }))
      const plan = {
        summary: `delete what ${group} has committed on ${counted(offsets.length, 'partition')}`,
        titles: ['TOPIC', 'PARTITION', 'COMMITTED'],
        rows: offsets.map(({ topic, partition, offset }) => [topic, partition, offset]),
        warnings: ['the group starts there by its reset policy when it reads these partitions again'],
        json: { group, offsets },
      }
      await planned(context.terminal, plan, flags, () => admin.deleteOffsets(group, offsets))
    }),
  )
}
