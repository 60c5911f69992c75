import { duration } from '../../arguments.ts'
import type { RegisterCommand } from '../../command.ts'
import { interruptible } from '../../interruptible.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { requireTopics, type SizedTopic, sizesOf } from '../../kafka/topics.ts'
import { tableLines } from '../../output/table.ts'
import { Rates } from '../../rates.ts'
import { clockOf, watch } from '../../output/watch.ts'

interface WatchFlags extends ConnectionFlags {
  readonly interval: number
  readonly json?: boolean
}

export const registerWatch: RegisterCommand = (topics, context) => {
  withConnectionOptions(
    topics
      .command('watch')
      .description('Show how topics grow, drawn again in place until Ctrl-C')
      .argument('[topic...]', 'default: all')
      .option('-i, --interval <duration>', 'how often', duration, 2_000)
      .option('--json', 'for programs, an object a line: { time, topics: [{ name, records, end, perSecond }] }'),
  ).action((names: string[], flags: WatchFlags) =>
    interruptible(context, (signal) =>
      withKafka(context, flags, async (kafka) => {
        const admin = kafka.admin()
        await requireTopics(admin, names)
        const rates = new Rates()
        const look = async () => {
          const shown = names.length > 0 ? names : await admin.listTopics()
          return snapshotOf(await sizesOf(admin, shown), rates)
        }
        const options = { intervalMs: flags.interval, json: flags.json ?? false, signal }
        await watch(context.terminal, look, options)
      }),
    ),
  )
}

function snapshotOf(sized: readonly SizedTopic[], rates: Rates) {
  const nowMs = performance.now()
  const topics = sized.map(({ name, partitions, records }) => {
    const end = partitions.reduce((sum, partition) => sum + partition.end, 0)
    return { name, partitions: partitions.length, records, end, perSecond: rates.next(name, end, nowMs) }
  })
  const rows = topics.map((topic) => [topic.name, topic.partitions, topic.records, topic.perSecond])
  return {
    lines: [clockOf(new Date()), '', ...tableLines(['TOPIC', 'PARTITIONS', 'RECORDS', 'IN/S'], rows)],
    json: { time: new Date().toISOString(), topics },
  }
}
