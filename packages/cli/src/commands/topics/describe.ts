import type { Admin, PartitionSurvey } from '@sluice/kafka'
import type { RegisterCommand } from '../../command.ts'
import { ExitCode } from '../../exit-codes.ts'
import { type ConnectionFlags, patienceOf, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { isRefused } from '../../kafka/refused.ts'
import { type SurveyedTopic, surveyTopics, throwRefusedTopic } from '../../kafka/topics.ts'
import { counted } from '../../output/figures.ts'
import { printable } from '../../output/printable.ts'
import { type Cell, tableLines } from '../../output/table.ts'
import { belowTable, hasNoLeader, reasonOf, unknownLines } from '../../output/unknown.ts'

interface DescribeFlags extends ConnectionFlags {
  readonly allConfigs?: boolean
  readonly json?: boolean
}

interface Configs {
  readonly configs: Readonly<Record<string, string | null>>
  readonly ownConfigs: Readonly<Record<string, string | null>>
}

export const registerDescribe: RegisterCommand = (topics, context) => {
  withConnectionOptions(
    topics
      .command('describe')
      .description('Show partitions, leaders, replicas, ends and settings of topics')
      .argument('<topic...>')
      .option('--all-configs', 'all settings, not only those that were set for the topic')
      .option('--json', 'for programs: [{ name, records, partitions: [...], configs, ownConfigs }]'),
  ).action((names: string[], flags: DescribeFlags) =>
    withKafka(context, flags, async (kafka) => {
      const admin = kafka.admin()
      const { topics: surveyed, unknown } = await surveyTopics(admin, names, patienceOf(context))
      const described = await Promise.all(
        surveyed.map(async (topic) => ({ ...topic, ...(await configsOf(admin, topic.name)) })),
      )
      const missing = [...described.flatMap((topic) => topic.unknown), ...unknown]
      if (missing.length > 0) context.exitWith(ExitCode.incomplete)
      if (flags.json && described.length > 0) context.terminal.json(described.map(topicJson))
      for (const [index, topic] of (flags.json ? [] : described).entries()) {
        if (index > 0) context.terminal.line()
        context.terminal.lines(describeLines(topic, flags.allConfigs ?? false))
      }
      // Those that are there were shown.
      await throwRefusedTopic(
        admin,
        unknown.map(({ what, error }) => ({ topic: what, error })),
      )
      for (const line of unknownLines(unknown)) context.terminal.note(line)
    }),
  )
}

/** Settings need a right of their own: without it the rest is still shown. */
async function configsOf(admin: Admin, name: string): Promise<Configs | { readonly configs: null }> {
  try {
    const [topic] = await admin.describeTopics([name])
    return { configs: topic?.configs ?? {}, ownConfigs: topic?.ownConfigs ?? {} }
  } catch (error) {
    if (isRefused(error, 'TOPIC_AUTHORIZATION_FAILED')) return { configs: null }
    throw error
  }
}

type DescribedTopic = SurveyedTopic & (Configs | { readonly configs: null })

function topicJson(topic: DescribedTopic) {
  const { name, partitions, records } = topic
  const configs = topic.configs === null ? { configs: null } : { configs: topic.configs, ownConfigs: topic.ownConfigs }
  const own = partitions.map((one) => ({ ...one, error: one.error === undefined ? null : reasonOf(one.error) }))
  return { name, partitions: own, records, ...configs }
}

function describeLines(topic: DescribedTopic, allConfigs: boolean): string[] {
  const { name, partitions, records, unknown } = topic
  const known = records === null ? 'records not known' : counted(records, 'record')
  const atLeast = records !== null && unknown.length > 0 ? 'at least ' : ''
  return [
    `${printable(name)}: ${counted(partitions.length, 'partition')}, ${atLeast}${known}`,
    ...configLines(topic, allConfigs),
    '',
    ...tableLines(['PARTITION', 'LEADER', 'REPLICAS', 'IN SYNC', 'START', 'END', 'RECORDS'], partitions.map(rowOf)),
    ...belowTable(unknownLines(unknown)),
  ]
}

function rowOf({ partition, leader, replicas, inSync, start, end, error }: PartitionSurvey): readonly Cell[] {
  return [
    partition,
    leader < 0 || hasNoLeader(error) ? 'no leader' : String(leader),
    replicas.join(','),
    inSync.length < replicas.length ? `${inSync.join(',')} of ${replicas.length}` : inSync.join(','),
    start,
    end,
    start === null || end === null ? null : end - start,
  ]
}

function configLines(topic: Configs | { readonly configs: null }, allConfigs: boolean): string[] {
  if (topic.configs === null) return ['this user may not read its settings']
  const shown = Object.entries(allConfigs ? topic.configs : topic.ownConfigs).sort(([a], [b]) => (a < b ? -1 : 1))
  if (shown.length === 0) return ["settings: the brokers' own"]
  return shown.map(([name, value]) => printable(`${name} = ${value ?? '(hidden)'}`))
}
