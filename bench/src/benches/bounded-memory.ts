import { Kafka } from '@sluice/kafka'
import { count, option } from '../bench.ts'
import { openBroker } from '../broker.ts'
import type { ClientJob, Measured } from '../clients/client.ts'
import { measureHostile } from '../hostile-batches.ts'
import { inProcess } from '../in-process.ts'
import type { BoundedConsumerJob, BoundedConsumerResult } from '../programs/bounded-consumer.ts'
import type { BoundedProducerJob, BoundedProducerResult } from '../programs/bounded-producer.ts'
import { type Row, gateRow, promise, publish } from '../report.ts'

export const title = 'memory of a producer and of a consumer that have too much to do'

export const options = {
  seconds: option('30', 'length of each part'),
  quota: option('2000000', 'bytes a second that the broker takes from the producer'),
  overload: option('2', 'how many times as much the producer is fed'),
  backlog: option('1000000', 'records in front of the consumer'),
  slowness: option('10', 'how many times slower the handler is than the same consumer with an empty one'),
  bytes: option('1024', 'bytes of a value'),
  bootstrap: option('', 'a broker to use instead of one of its own'),
}

const MiB = 2 ** 20
const clientId = 'bench-bounded'
const ours = { client: 'sluice' }
const limits = 'limits of 100,000'

/** Bytes of RSS that the consumer may gain: 128 MB. */
const maxConsumerGrowthMiB = 128e6 / MiB
/** The producer's queue holds at most 32 MiB by default; memory of the process beside it should hardly move. */
const maxProducerGrowthMiB = 64

type SlowConsumer = BoundedConsumerResult & { readonly recordsPerSecond: number }

export async function run(args: Readonly<Record<string, string>>): Promise<void> {
  const seconds = count(args, 'seconds')
  const quota = count(args, 'quota')
  const backlog = count(args, 'backlog')
  const slowness = count(args, 'slowness')
  const overload = count(args, 'overload')
  const valueBytes = count(args, 'bytes')
  await using broker = await openBroker(args['bootstrap']!)
  const { bootstrap } = broker
  await using kafka = new Kafka({ brokers: [bootstrap], clientId: 'bench' })
  const topic = `bench-bounded-${Date.now()}`
  await kafka.admin().createTopics([{ name: topic, partitions: 6 }])
  try {
    const consumer = await measureConsumer({ bootstrap, topic, seconds, backlog, slowness, valueBytes })
    await kafka.admin().setProducerQuota(clientId, quota)
    const recordsPerSecond = Math.ceil((overload * quota) / valueBytes)
    const producing = { bootstrap, clientId, topic, valueBytes, recordsPerSecond, seconds }
    const heeding = await measureProducer({ ...producing, heeds: true })
    const insisting = await measureProducer({ ...producing, heeds: false })
    await kafka.admin().setProducerQuota(clientId, null)
    const hostile = await measureHostile(kafka, bootstrap, Math.ceil(seconds / 2))
    const promises = [...judge(heeding, insisting, consumer), ...hostile.promises]
    publish({
      name: 'bounded-memory',
      parameters: {
        seconds,
        quota,
        overload,
        backlog,
        slowness,
        valueBytes,
        handlerPerSecond: consumer.recordsPerSecond,
      },
      tables: {
        [`a producer fed ${overload} times as fast as its broker takes`]: [
          producerRow('waits for ready()', heeding),
          producerRow('calls send() all the same', insisting),
        ],
        'a consumer too slow for its backlog, budget 64 MiB and 1,000,000 records': [gateRow(consumer)],
        'a consumer before batches that are small on the wire, budget 8 MiB and 1,000 records': hostile.rows,
        'what has to hold': promises,
      },
      details: { heeding, insisting, consumer },
    })
    if (promises.some(({ holds }) => holds === 'no')) process.exitCode = 1
  } finally {
    await kafka.admin().setProducerQuota(clientId, null)
    await kafka.admin().deleteTopics([topic])
  }
}

interface ConsumerPart {
  readonly bootstrap: string
  readonly topic: string
  readonly seconds: number
  readonly backlog: number
  readonly slowness: number
  readonly valueBytes: number
}

async function measureConsumer(part: ConsumerPart): Promise<SlowConsumer> {
  const { bootstrap, topic, seconds, backlog, slowness, valueBytes } = part
  console.log(`writing ${backlog} records`)
  const fill: ClientJob = { bootstrap, topic, valueBytes, records: backlog, maxSeconds: 600 }
  const filled = await inProcess<Measured>('client.ts', {
    ...fill,
    ...ours,
    task: 'produce',
    way: `single sends, ${limits}`,
  })
  if (filled.records < backlog) throw new Error(`only ${filled.records} of ${backlog} records were written`)
  const empty = await inProcess<Measured>('client.ts', { ...fill, ...ours, task: 'consume', way: limits })
  const recordsPerSecond = Math.round(empty.records / empty.seconds / slowness)
  console.log(`consuming for ${seconds} s with a handler that manages ${recordsPerSecond} a second`)
  const job: BoundedConsumerJob = {
    bootstrap,
    topic,
    maxRecords: 1_000_000,
    maxBytes: 64 * MiB,
    recordsPerSecond,
    seconds,
  }
  return { ...(await inProcess<BoundedConsumerResult>('bounded-consumer.ts', job)), recordsPerSecond }
}

function measureProducer(job: BoundedProducerJob): Promise<BoundedProducerResult> {
  console.log(`producing for ${job.seconds} s, ${job.heeds ? 'waiting for ready()' : 'whatever the queue says'}`)
  return inProcess<BoundedProducerResult>('bounded-producer.ts', job)
}

/** What is promised, and what was seen. */
function judge(heeding: BoundedProducerResult, insisting: BoundedProducerResult, consumer: SlowConsumer) {
  const { throttledAt, releasedAt } = heeding
  return [
    promise('producer: most records in its queue', Math.max(heeding.maxQueued, insisting.maxQueued), '<=', 1_000),
    promise('producer: times throttled', throttledAt.length, '>=', 1),
    promise('producer: lowest level at which throttling began', Math.min(...throttledAt), '>=', 800),
    promise('producer: highest level at which throttling ended', Math.max(0, ...releasedAt), '<=', 200),
    promise('producer: growth of RSS, MiB', heeding.memory.growthMiB, '<=', maxProducerGrowthMiB),
    promise('consumer: most bytes in its gate, MiB', consumer.maxGateBytes / MiB, '<=', 64),
    promise('consumer: growth of RSS, MiB', consumer.memory.growthMiB, '<=', maxConsumerGrowthMiB),
  ]
}

function producerRow(source: string, result: BoundedProducerResult): Row {
  const { offered, acknowledged, shed, maxQueued, throttledAt, releasedAt, memory } = result
  return {
    source,
    offered,
    acknowledged,
    shed: Object.values(shed).reduce((sum, number) => sum + number, 0),
    'most in the queue': maxQueued,
    throttled: throttledAt.length,
    'on at': range(throttledAt),
    'off at': range(releasedAt),
    'RSS MiB, first': memory.firstMiB,
    highest: memory.maxMiB,
    growth: memory.growthMiB,
  }
}

function range(levels: readonly number[]): string {
  if (levels.length === 0) return '-'
  const [low, high] = [Math.min(...levels), Math.max(...levels)]
  return low === high ? `${low}` : `${low} to ${high}`
}
