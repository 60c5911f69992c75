import type { RegisterCommand } from '../../command.ts'
import { ExitCode } from '../../exit-codes.ts'
import { type ConnectionFlags, patienceOf, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { recordsCell, type SurveyedTopic, surveyTopics, unknownJson } from '../../kafka/topics.ts'
import { type Cell, tableLines } from '../../output/table.ts'
import { belowTable, unknownLines } from '../../output/unknown.ts'

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
      .option('--json', 'for programs: [{ name, partitions, replicas, records, unknown }]'),
  ).action((flags: ListFlags) =>
    withKafka(context, flags, async (kafka) => {
      const options = { ...patienceOf(context), internal: flags.internal ?? false }
      const { topics, unknown } = await surveyTopics(kafka.admin(), null, options)
      const missing = [...topics.flatMap((topic) => topic.unknown), ...unknown]
      if (missing.length > 0) context.exitWith(ExitCode.incomplete)
      if (flags.json) return context.terminal.json(topics.map(summaryOf))
      if (topics.length === 0) context.terminal.line('there are no topics')
      else context.terminal.lines(tableLines(['TOPIC', 'PARTITIONS', 'REPLICAS', 'RECORDS'], topics.map(rowOf)))
      context.terminal.lines(belowTable(unknownLines(missing)))
    }),
  )
}

function rowOf(topic: SurveyedTopic): readonly Cell[] {
  return [topic.name, topic.partitions.length, replicasOf(topic), recordsCell(topic)]
}

function summaryOf(topic: SurveyedTopic) {
  const { name, partitions, records } = topic
  return {
    name,
    partitions: partitions.length,
    replicas: replicasOf(topic),
    records,
    unknown: unknownJson(partitions),
  }
}

function replicasOf({ partitions }: SurveyedTopic): number {
  return partitions.reduce((most, { replicas }) => Math.max(most, replicas.length), 0)
}
