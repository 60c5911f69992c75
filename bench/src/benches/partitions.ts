import { Kafka } from '@sluice/kafka'
import { count, option } from '../bench.ts'
import { openBroker } from '../broker.ts'
import type { ClientJob, Measured } from '../clients/client.ts'
import { inProcess } from '../in-process.ts'
import type { ManyTopicsJob, ManyTopicsResult } from '../programs/many-topics.ts'
import type { PartitionFillJob } from '../programs/partition-fill.ts'
import type { PartitionLatencyJob, PartitionLatencyResult } from '../programs/partition-latency.ts'
import { type Row, median, promise, publish, round } from '../report.ts'

export const title = 'one consumer of hundreds of partitions, and a cluster of thousands of topics'

export const options = {
  records: option('1500000', 'records to read in each round, in batches of 100'),
  rounds: option('3', 'rounds of reading, of which the median counts'),
  singles: option('200', 'single records whose way is timed, for each number of partitions'),
  topics: option('5000', 'topics of one partition each'),
  bootstrap: option('', 'a broker to use instead of one of its own'),
}

const counts = [12, 100, 200, 400, 1_000]
const readCounts = [12, 1_000]
const idleSeconds = 4
const valueBytes = 200
const batchRecords = 100
/** What one request creates; more would pass the time of a request. */
const createdAtOnce = 250

export async function run(args: Readonly<Record<string, string>>): Promise<void> {
  const [records, rounds, singles, topics] = (['records', 'rounds', 'singles', 'topics'] as const).map((name) =>
    count(args, name),
  ) as [number, number, number, number]
  await using broker = await openBroker(args['bootstrap']!)
  const { bootstrap } = broker
  const prefix = `bench-partitions-${Date.now()}`
  const nameOf = (partitions: number): string => `${prefix}.of-${partitions}`
  await create(
    bootstrap,
    counts.map((partitions) => ({ name: nameOf(partitions), partitions })),
  )
  const latencies: LatencyRow[] = []
  for (const partitions of counts) {
    console.log(`single records to ${partitions} partitions`)
    const timed = { bootstrap, topic: nameOf(partitions), partitions, idleSeconds, records: singles }
    latencies.push(await measureLatency(timed))
  }
  const reads = await measureReading(bootstrap, nameOf, records, rounds)
  console.log(`creating ${topics} topics`)
  const many = `${prefix}.many-`
  await create(
    bootstrap,
    Array.from({ length: topics }, (_, index) => ({ name: `${many}${index}`, partitions: 1 })),
  )
  console.log(`a cluster of ${topics} topics`)
  const job: ManyTopicsJob = { bootstrap, prefix: many, topics, idleSeconds }
  const cluster = await inProcess<ManyTopicsResult>('many-topics.ts', job)
  report({ records, rounds, singles, topics }, latencies, reads, cluster)
}

type NewTopic = { readonly name: string; readonly partitions: number }

async function create(bootstrap: string, topics: readonly NewTopic[]): Promise<void> {
  await using kafka = new Kafka({ brokers: [bootstrap], clientId: 'bench' })
  for (let from = 0; from < topics.length; from += createdAtOnce) {
    await kafka.admin().createTopics(topics.slice(from, from + createdAtOnce), { timeoutMs: 60_000 })
  }
}

interface LatencyRow {
  readonly partitions: number
  readonly p50: number
  readonly p99: number
  readonly arrived: number
  readonly fetchesPerSecond: number
}

async function measureLatency(job: PartitionLatencyJob): Promise<LatencyRow> {
  const { latenciesMs, fetchesPerSecond } = await inProcess<PartitionLatencyResult>('partition-latency.ts', job)
  const sorted = latenciesMs.toSorted((a, b) => a - b)
  const quantile = (part: number): number => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)]!
  return {
    partitions: job.partitions,
    p50: quantile(0.5),
    p99: quantile(0.99),
    arrived: sorted.length,
    fetchesPerSecond,
  }
}

/** Records a second by number of partitions, one figure a round, the rounds interleaved. */
async function measureReading(
  bootstrap: string,
  nameOf: (partitions: number) => string,
  records: number,
  rounds: number,
): Promise<ReadonlyMap<number, readonly number[]>> {
  const rates = new Map<number, number[]>()
  for (const partitions of readCounts) {
    console.log(`filling ${partitions} partitions`)
    const fill: PartitionFillJob = {
      bootstrap,
      topic: nameOf(partitions),
      partitions,
      records,
      batchRecords,
      valueBytes,
    }
    await inProcess('partition-fill.ts', fill)
    rates.set(partitions, [])
  }
  for (let each = 0; each < rounds; each++) {
    for (const partitions of readCounts) {
      const read: ClientJob = { bootstrap, topic: nameOf(partitions), records, valueBytes, maxSeconds: 30 }
      const measured = await inProcess<Measured>('partition-read.ts', read)
      rates.get(partitions)!.push(measured.records / measured.seconds)
    }
  }
  return rates
}

function report(
  parameters: Readonly<Record<string, number>>,
  latencies: readonly LatencyRow[],
  reads: ReadonlyMap<number, readonly number[]>,
  cluster: ManyTopicsResult,
): void {
  const [few, many] = readCounts.map((partitions) => median(reads.get(partitions)!)) as [number, number]
  const blocks = cluster.steps.map(({ longestBlockMs }) => longestBlockMs)
  const promises = [
    ...latencies.flatMap(({ partitions, p50, p99, fetchesPerSecond, arrived }) => [
      promise(`${partitions} partitions: p50, ms`, p50, '<=', 15),
      promise(`${partitions} partitions: p99, ms`, p99, '<=', 100),
      promise(`${partitions} partitions: records that arrived`, arrived, '>=', parameters['singles']!),
      promise(`${partitions} partitions: fetches a second when idle`, fetchesPerSecond, '<=', 5),
    ]),
    promise('reading 1,000 full partitions, percent of the rate of 12', (many / few) * 100, '>=', 80),
    promise(`${parameters['topics']} topics: fetches a second when idle`, cluster.fetchesPerSecond, '<=', 5),
    promise(`${parameters['topics']} topics: longest block of the event loop, ms`, Math.max(...blocks), '<=', 50),
  ]
  publish({
    name: 'partitions',
    parameters: { ...parameters, valueBytes, batchRecords },
    tables: {
      'single records through one consumer, default options': latencies.map(latencyRow),
      'reading full partitions, default options': readCounts.map((partitions) => ({
        partitions,
        'records a second': round(median(reads.get(partitions)!)),
      })),
      'a cluster of thousands of topics': cluster.steps.map(stepRow),
      'what has to hold': promises,
    },
    details: { reads: Object.fromEntries(reads) },
  })
  if (promises.some(({ holds }) => holds === 'no')) process.exitCode = 1
}

function latencyRow({ partitions, p50, p99, arrived, fetchesPerSecond }: LatencyRow): Row {
  return {
    partitions,
    'p50, ms': round(p50),
    'p99, ms': round(p99),
    arrived,
    'idle fetches/s': round(fetchesPerSecond),
  }
}

function stepRow({ step, seconds, cpuSeconds, longestGapMs, longestBlockMs }: ManyTopicsResult['steps'][number]): Row {
  return {
    step,
    seconds: round(seconds),
    'CPU, s': round(cpuSeconds),
    'longest gap, ms': round(longestGapMs),
    'of which work': round(longestBlockMs),
  }
}
