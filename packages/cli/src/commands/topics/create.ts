import type { RegisterCommand } from '../../command.ts'
import { assignment, wholeNumber } from '../../arguments.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { counted } from '../../output/figures.ts'

interface CreateFlags extends ConnectionFlags {
  readonly partitions?: number
  readonly replicationFactor?: number
  readonly config?: ReadonlyMap<string, string>
  readonly ifNotExists?: boolean
  readonly json?: boolean
}

export const registerCreate: RegisterCommand = (topics, context) => {
  withConnectionOptions(
    topics
      .command('create')
      .description('Create a topic')
      .argument('<topic>')
      .option('-p, --partitions <count>', "default: the brokers' own", wholeNumber(1, 100_000))
      .option('-r, --replication-factor <count>', "default: the brokers' own", wholeNumber(1, 32_767))
      .option('-c, --config <name=value>', 'such as retention.ms=86400000; more than once for more', assignment)
      .option('--if-not-exists', 'accept a topic that exists already')
      .option('--json', 'for programs: { name, created, partitions }'),
  ).action((name: string, flags: CreateFlags) =>
    withKafka(context, flags, async (kafka) => {
      const admin = kafka.admin()
      const { partitions, replicationFactor, config = new Map(), ifNotExists = false } = flags
      const spec = {
        name,
        configs: Object.fromEntries(config),
        ...(partitions !== undefined && { partitions }),
        ...(replicationFactor !== undefined && { replicationFactor }),
      }
      const [result] = await admin.createTopics([spec], { ifNotExists })
      const [topic] = await admin.describeTopics([name], { configs: false })
      const created = result?.created ?? false
      const count = topic?.partitions.length ?? 0
      if (flags.json) return context.terminal.json({ name, created, partitions: count })
      context.terminal.line(`${name} ${created ? 'is created' : 'was there already'}: ${counted(count, 'partition')}`)
    }),
  )
}
