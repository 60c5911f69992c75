import { duration } from '../../arguments.ts'
import type { RegisterCommand } from '../../command.ts'
import { interruptible } from '../../interruptible.ts'
import { type ConnectionFlags, patienceOf, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import {
  recordsCell,
  requireTopics,
  type SurveyedTopic,
  type SurveyedTopics,
  surveyTopics,
  unknownJson,
} from '../../kafka/topics.ts'
import { tableLines } from '../../output/table.ts'
import { Rates } from '../../rates.ts'
import { belowTable, unknownLines } from '../../output/unknown.ts'
import { clockOf, type Snapshot, watch } from '../../output/watch.ts'

interface WatchFlags extends ConnectionFlags {
  readonly interval: number
  readonly json?: boolean
}

export const registerWatch: RegisterCommand = (topics, context) => {
  withConnectionOptions(
    topics
      .command('watch')
      .description('Show how topics grow, redrawn in place until q or Ctrl-C')
      .argument('[topic...]', 'default: all')
      .option('-i, --interval <duration>', 'how often', duration, 2_000)
      .option(
        '--json',
        'for programs, one JSON object per line: { time, topics: [{ name, records, end, perSecond, unknown }] }',
      ),
  ).action((names: string[], flags: WatchFlags) =>
    interruptible(context, (signal) =>
      withKafka(context, flags, async (kafka) => {
        const admin = kafka.admin()
        await requireTopics(admin, names)
        const rates = new Rates()
        const look = async () =>
          snapshotOf(await surveyTopics(admin, names.length > 0 ? names : null, patienceOf(context)), rates)
        const options = { intervalMs: flags.interval, json: flags.json ?? false, signal }
        await watch(context.terminal, look, options)
      }),
    ),
  )
}

function snapshotOf({ topics: surveyed, unknown }: SurveyedTopics, rates: Rates): Snapshot {
  const nowMs = performance.now()
  const shown = surveyed.map((topic) => ({ topic, ...growthOf(topic, rates, nowMs) }))
  const rows = shown.map(({ topic, perSecond }) => [topic.name, topic.partitions.length, recordsCell(topic), perSecond])
  const missing = [...surveyed.flatMap((topic) => topic.unknown), ...unknown]
  const topics = shown.map(({ topic: { name, partitions, records }, end, perSecond }) => {
    return { name, partitions: partitions.length, records, end, perSecond, unknown: unknownJson(partitions) }
  })
  return {
    lines: [
      clockOf(new Date()),
      '',
      ...tableLines(['TOPIC', 'PARTITIONS', 'RECORDS', 'IN/S'], rows),
      ...belowTable(unknownLines(missing)),
    ],
    json: { time: new Date().toISOString(), topics },
  }
}

/** Null while some partition is not known: what comes back with it did not come in meanwhile. */
function growthOf({ name, partitions, unknown }: SurveyedTopic, rates: Rates, nowMs: number) {
  if (unknown.length > 0) return { end: null, perSecond: null }
  const end = partitions.reduce((sum, partition) => sum + (partition.end ?? 0), 0)
  return { end, perSecond: rates.next(name, end, nowMs) }
}
