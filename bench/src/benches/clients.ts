import { Kafka } from '@sluice/kafka'
import { count, option } from '../bench.ts'
import { openBroker } from '../broker.ts'
import type { Measured } from '../clients/client.ts'
import { type Task, clients } from '../clients/index.ts'
import { type Settings, Topics } from '../clients/topics.ts'
import { inProcess } from '../in-process.ts'
import { type Row, median, publish, round } from '../report.ts'

export const title = 'records a second out and in, beside @platformatic/kafka and kafkajs'

export const options = {
  rounds: option('5', 'interleaved rounds; the medians are reported'),
  records: option('1000000', 'records sent in one measurement, at most'),
  backlog: option('1000000', 'records that a consumer finds in its topic'),
  seconds: option('10', 'length of one measurement, at most'),
  sizes: option('200,1024', 'bytes of a value'),
  partitions: option('6', 'partitions of each topic'),
  tasks: option('produce,consume', 'what to measure'),
  bootstrap: option('', 'a broker to use instead of one of its own'),
}

/** Who is measured doing what. */
interface Entry {
  readonly task: Task
  readonly client: string
  readonly way: string
  readonly valueBytes: number
}

export async function run(args: Readonly<Record<string, string>>): Promise<void> {
  const rounds = count(args, 'rounds')
  const settings = {
    records: count(args, 'records'),
    backlog: count(args, 'backlog'),
    maxSeconds: count(args, 'seconds'),
    partitions: count(args, 'partitions'),
  }
  const tasks = (['produce', 'consume'] as const).filter((task) => args['tasks']!.split(',').includes(task))
  const sizes = args['sizes']!.split(',').map((size) => count({ sizes: size }, 'sizes'))
  await using broker = await openBroker(args['bootstrap']!)
  await using kafka = new Kafka({ brokers: [broker.bootstrap], clientId: 'bench' })
  const topics = new Topics(kafka, broker.bootstrap, settings)
  const entries = await allEntries(tasks, sizes)
  const results = new Map<Entry, Measured[]>(entries.map((entry) => [entry, []]))
  try {
    for (let number = 0; number < rounds; number++) {
      // Each round begins with another one, so that none always comes first or after the same.
      for (const entry of [...entries.slice(number % entries.length), ...entries.slice(0, number % entries.length)]) {
        const measured = await measure(entry, topics, broker.bootstrap, settings)
        results.get(entry)!.push(measured)
        console.log(`round ${number + 1}/${rounds}  ${describe(entry)}: ${rate(measured).toLocaleString('en-US')}/s`)
      }
    }
  } finally {
    await topics.deleteAll()
  }
  const details = [...results].map(([entry, measured]) => ({ ...entry, measured }))
  const tables = Object.fromEntries(tasks.map((task) => [task, rows(task, results)]))
  publish({ name: 'clients', parameters: { rounds, ...settings, compression: 'none', acks: 'all' }, tables, details })
}

async function allEntries(tasks: readonly Task[], sizes: readonly number[]): Promise<Entry[]> {
  const entries: Entry[] = []
  for (const [client, load] of Object.entries(clients)) {
    const ways = await load()
    for (const task of tasks) {
      for (const way of Object.keys(ways[task])) {
        for (const valueBytes of sizes) entries.push({ task, client, way, valueBytes })
      }
    }
  }
  return entries
}

async function measure(entry: Entry, topics: Topics, bootstrap: string, settings: Settings): Promise<Measured> {
  const { task, valueBytes } = entry
  const { maxSeconds } = settings
  const isSending = task === 'produce'
  const topic = isSending ? await topics.create() : await topics.backlog(valueBytes)
  const records = isSending ? settings.records : settings.backlog
  const measured = await inProcess<Measured>('client.ts', { ...entry, bootstrap, topic, records, maxSeconds })
  if (isSending) await topics.delete(topic)
  return measured
}

function rows(task: Task, results: ReadonlyMap<Entry, readonly Measured[]>): Row[] {
  const medians = new Map([...results].map(([entry, measured]) => [entry, median(measured.map(rate))]))
  const own = (way: string, valueBytes: number): number => {
    const [, value] = [...medians].find(
      ([entry]) =>
        entry.client === 'sluice' && entry.task === task && entry.way.endsWith(way) && entry.valueBytes === valueBytes,
    )!
    return value
  }
  const sorted = [...results]
    .filter(([entry]) => entry.task === task)
    .toSorted(([a], [b]) => a.valueBytes - b.valueBytes)
  return sorted.map(([entry, measured]) => {
    const rates = measured.map(rate)
    const middle = medians.get(entry)!
    return {
      bytes: entry.valueBytes,
      client: entry.client,
      way: entry.way,
      'records/s': Math.round(middle),
      lowest: Math.round(Math.min(...rates)),
      highest: Math.round(Math.max(...rates)),
      'CPU us/record': round(median(measured.map(({ cpuSeconds, records }) => (cpuSeconds / records) * 1e6))),
      'ours by default, times': round(own('default limits', entry.valueBytes) / middle),
      'ours with 100,000, times': round(own('limits of 100,000', entry.valueBytes) / middle),
    }
  })
}

function rate({ records, seconds }: Measured): number {
  return Math.round(records / seconds)
}

function describe({ task, client, way, valueBytes }: Entry): string {
  return `${task} ${valueBytes} B, ${client}, ${way}`
}
