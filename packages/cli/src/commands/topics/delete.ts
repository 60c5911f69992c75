import type { RegisterCommand } from '../../command.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { requireTopics, type SizedTopic, sizesOf } from '../../kafka/topics.ts'
import { counted } from '../../output/figures.ts'
import { type Plan, planned, type PlanFlags } from '../../output/plan.ts'

export const registerDelete: RegisterCommand = (topics, context) => {
  withConnectionOptions(
    topics
      .command('delete')
      .description('Delete topics with all their records: shows the plan, and does it with --execute')
      .argument('<topic...>')
      .option('--execute', 'do it')
      .option('--json', 'for programs: { plan, executed }'),
  ).action((names: string[], flags: ConnectionFlags & PlanFlags) =>
    withKafka(context, flags, async (kafka) => {
      const admin = kafka.admin()
      const once = [...new Set(names)]
      await requireTopics(admin, once)
      const plan = planOf(await sizesOf(admin, once))
      await planned(context.terminal, plan, flags, () => admin.deleteTopics(once))
    }),
  )
}

function planOf(topics: readonly SizedTopic[]): Plan {
  const records = topics.reduce((sum, topic) => sum + topic.records, 0)
  const rows = topics.map((topic) => ({
    topic: topic.name,
    partitions: topic.partitions.length,
    records: topic.records,
  }))
  return {
    summary: `delete ${counted(topics.length, 'topic')} with ${counted(records, 'record')}`,
    titles: ['TOPIC', 'PARTITIONS', 'RECORDS'],
    rows: rows.map((row) => [row.topic, row.partitions, row.records]),
    warnings: ['the records cannot be brought back'],
    json: { topics: rows },
  }
}
