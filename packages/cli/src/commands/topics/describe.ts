import type { Admin } from '@sluice/kafka'
import type { RegisterCommand } from '../../command.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { isRefused } from '../../kafka/refused.ts'
import { requireTopics, type SizedTopic, sizesOf } from '../../kafka/topics.ts'
import { counted } from '../../output/figures.ts'
import { printable } from '../../output/printable.ts'
import { tableLines } from '../../output/table.ts'

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
      await requireTopics(admin, names)
      const described = await Promise.all(
        (await sizesOf(admin, names)).map(async (topic) => ({ ...topic, ...(await configsOf(admin, topic.name)) })),
      )
      if (flags.json) return context.terminal.json(described)
      for (const [index, topic] of described.entries()) {
        if (index > 0) context.terminal.line()
        context.terminal.lines(describeLines(topic, flags.allConfigs ?? false))
      }
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

function describeLines(topic: SizedTopic & (Configs | { readonly configs: null }), allConfigs: boolean): string[] {
  const { name, partitions, records } = topic
  return [
    `${printable(name)}: ${counted(partitions.length, 'partition')}, ${counted(records, 'record')}`,
    ...configLines(topic, allConfigs),
    '',
    ...tableLines(
      ['PARTITION', 'LEADER', 'REPLICAS', 'IN SYNC', 'START', 'END', 'RECORDS'],
      partitions.map(({ partition, leader, replicas, inSync, start, end }) => [
        partition,
        leader < 0 ? 'none' : String(leader),
        replicas.join(','),
        inSync.length < replicas.length ? `${inSync.join(',')} of ${replicas.length}` : inSync.join(','),
        start,
        end,
        end - start,
      ]),
    ),
  ]
}

function configLines(topic: Configs | { readonly configs: null }, allConfigs: boolean): string[] {
  if (topic.configs === null) return ['this user may not read its settings']
  const shown = Object.entries(allConfigs ? topic.configs : topic.ownConfigs).sort(([a], [b]) => (a < b ? -1 : 1))
  if (shown.length === 0) return ["settings: the brokers' own"]
  return shown.map(([name, value]) => printable(`${name} = ${value ?? '(hidden)'}`))
}
