import type { Admin, TopicChange } from '@sluice/kafka'
import { assignment, repeated, wholeNumber } from '../../arguments.ts'
import { UsageError } from '../../cli-error.ts'
import type { RegisterCommand } from '../../command.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { requireTopics } from '../../kafka/topics.ts'
import { type Plan, planned, type PlanFlags } from '../../output/plan.ts'

interface AlterFlags extends ConnectionFlags, PlanFlags {
  readonly partitions?: number
  readonly config?: ReadonlyMap<string, string>
  readonly resetConfig?: readonly string[]
}

export const registerAlter: RegisterCommand = (topics, context) => {
  withConnectionOptions(
    topics
      .command('alter')
      .description('Give a topic more partitions or other settings: shows the plan, and does it with --execute')
      .argument('<topic>')
      .option('-p, --partitions <count>', 'the new total; a topic cannot lose partitions', wholeNumber(1, 100_000))
      .option('-c, --config <name=value>', 'a setting; more than once for more', assignment)
      .option('--reset-config <name>', "put a setting back to the brokers' own; more than once for more", repeated)
      .option('--execute', 'do it')
      .option('--json', 'for programs: { plan, executed }'),
  ).action((name: string, flags: AlterFlags) => {
    const change = changeOf(flags)
    return withKafka(context, flags, async (kafka) => {
      const admin = kafka.admin()
      await requireTopics(admin, [name])
      // The brokers say now, and not half way, what they would refuse.
      await admin.alterTopic(name, change, { validateOnly: true })
      const plan = await planOf(admin, name, change)
      await planned(context.terminal, plan, flags, () => admin.alterTopic(name, change))
    })
  })
}

function changeOf({ partitions, config = new Map(), resetConfig = [] }: AlterFlags): TopicChange {
  const configs = Object.fromEntries([...config, ...resetConfig.map((name) => [name, null] as const)])
  if (partitions === undefined && Object.keys(configs).length === 0) {
    throw new UsageError('no change is given', 'give --partitions, --config or --reset-config')
  }
  return { configs, ...(partitions !== undefined && { partitions }) }
}

async function planOf(admin: Admin, name: string, { partitions, configs = {} }: TopicChange): Promise<Plan> {
  const [topic] = await admin.describeTopics([name])
  const rows: [string, string | number | null, string | number | null][] = []
  if (partitions !== undefined) rows.push(['partitions', topic?.partitions.length ?? null, partitions])
  const now = new Map(Object.entries(topic?.configs ?? {}))
  for (const [key, value] of Object.entries(configs)) rows.push([key, now.get(key) ?? null, value ?? '(default)'])
  return {
    summary: `alter ${name}`,
    titles: ['SETTING', 'FROM', 'TO'],
    rows,
    warnings:
      partitions === undefined
        ? []
        : ['keys find other partitions from then on: records of one key may overtake each other, once'],
    json: { topic: name, changes: rows.map(([setting, from, to]) => ({ setting, from, to })) },
  }
}
