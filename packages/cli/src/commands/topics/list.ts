import type { RegisterCommand } from '../../command.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { type SizedTopic, sizesOf } from '../../kafka/topics.ts'
import { tableLines } from '../../output/table.ts'

interface ListFlags extends ConnectionFlags {
  readonly internal?: boolean
  readonly json?: boolean
}

export const registerList: RegisterCommand = (topics, context) => {
  withConnectionOptions(
    topics
      .command('list')
      .description('Show all topics with how many partitions, replicas and records they have')
      .option('--internal', "Kafka's own topics as well")
      .option('--json', 'for programs: [{ name, partitions, replicas, records }]'),
  ).action((flags: ListFlags) =>
    withKafka(context, flags, async (kafka) => {
      const admin = kafka.admin()
      const names = await admin.listTopics({ internal: flags.internal ?? false })
      const sized = await sizesOf(admin, names)
      if (flags.json) return context.terminal.json(sized.map(summaryOf))
      if (sized.length === 0) return context.terminal.line('there are no topics')
      context.terminal.lines(
        tableLines(
          ['TOPIC', 'PARTITIONS', 'REPLICAS', 'RECORDS'],
          sized.map(summaryOf).map((one) => [one.name, one.partitions, one.replicas, one.records]),
        ),
      )
    }),
  )
}

function summaryOf({ name, partitions, records }: SizedTopic) {
  const replicas = Math.max(0, ...partitions.map((partition) => partition.replicas.length))
  return { name, partitions: partitions.length, replicas, records }
}
