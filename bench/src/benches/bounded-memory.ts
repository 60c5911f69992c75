import { Kafka } from '@sluice/kafka'
import { count, option } from '../bench.ts'
import { openBroker } from '../broker.ts'
import type { ClientJob, Measured } from '../clients/client.ts'
import { inProcess } from '../in-process.ts'
import type { BoundedConsumerJob, BoundedConsumerResult } from '../programs/bounded-consumer.ts'
import type { BoundedProducerJob, BoundedProducerResult } from '../programs/bounded-producer.ts'
import { type Row, publish } from '../report.ts'

export const title = 'memory of a producer and of a consumer that have too much to do'

export const options = {
  seconds: option('60', 'length of each part'),
  quota: option('2000000', 'bytes a second that the broker takes from the producer; it is fed twice as much'),
  backlog: option('1000000', 'records in front of the consumer'),
  handled: option('10000', 'records a second that the handler manages'),
  bytes: option('1024', 'bytes of a value'),
  bootstrap: option('', 'a broker to use instead of one of its own'),
}

const MiB = 2 ** 20
const clientId = 'bench-bounded'

export async function run(args: Readonly<Record<string, string>>): Promise<void> {
  const seconds = count(args, 'seconds')
  const quota = count(args, 'quota')
  const backlog = count(args, 'backlog')
  const handled = count(args, 'handled')
  const valueBytes = count(args, 'bytes')
  await using broker = await openBroker(args['bootstrap']!)
  const { bootstrap } = broker
  await using kafka = new Kafka({ brokers: [bootstrap], clientId: 'bench' })
  const topic = `bench-bounded-${Date.now()}`
  await kafka.admin().createTopics([{ name: topic, partitions: 6 }])
  try {
    const consumer = await measureConsumer({ bootstrap, topic, seconds, backlog, handled, valueBytes })
    await kafka.admin().setProducerQuota(clientId, quota)
    const recordsPerSecond = Math.ceil((2 * quota) / valueBytes)
    const producing = { bootstrap, clientId, topic, valueBytes, recordsPerSecond, seconds }
    const heeding = await measureProducer({ ...producing, heeds: true })
    const insisting = await measureProducer({ ...producing, heeds: false })
    publish({
      name: 'bounded-memory',
      parameters: { seconds, quota, backlog, handled, valueBytes },
      tables: {
        'a producer fed twice as fast as its broker takes': [
          producerRow('waits for ready()', heeding),
          producerRow('calls send() all the same', insisting),
        ],
        'a consumer ten times too slow in front of a backlog, budget 64 MiB and 1,000,000 records': [
          consumerRow(consumer),
        ],
      },
      details: { heeding, insisting, consumer },
    })
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
  readonly handled: number
  readonly valueBytes: number
}

async function measureConsumer(part: ConsumerPart): Promise<BoundedConsumerResult> {
  const { bootstrap, topic, seconds, backlog, handled, valueBytes } = part
  console.log(`writing ${backlog} records`)
  const fill: ClientJob = { bootstrap, topic, valueBytes, records: backlog, maxSeconds: 600 }
  await inProcess<Measured>('client.ts', {
    ...fill,
    client: 'sluice',
    task: 'produce',
    way: 'single sends, limits of 100,000',
  })
  console.log(`consuming for ${seconds} s`)
  const job: BoundedConsumerJob = {
    bootstrap,
    topic,
    maxRecords: 1_000_000,
    maxBytes: 64 * MiB,
    recordsPerSecond: handled,
    seconds,
  }
  return inProcess<BoundedConsumerResult>('bounded-consumer.ts', job)
}

function measureProducer(job: BoundedProducerJob): Promise<BoundedProducerResult> {
  console.log(`producing for ${job.seconds} s, ${job.heeds ? 'waiting for ready()' : 'whatever the queue says'}`)
  return inProcess<BoundedProducerResult>('bounded-producer.ts', job)
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

function consumerRow({ handled, maxGateBytes, maxGateRecords, memory }: BoundedConsumerResult): Row {
  return {
    handled,
    'most in the gate, records': maxGateRecords,
    MiB: Math.round(maxGateBytes / MiB),
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
