import { Kafka, text, topic } from '@sluice/kafka'
import { count, option } from '../bench.ts'
import { openBroker } from '../broker.ts'
import { inProcess } from '../in-process.ts'
import { seededRandom } from '../limits/random.ts'
import { buildJava, javaVersions, runJava } from '../parallel/java.ts'
import type { ParallelJob, ParallelMeasured } from '../programs/parallel.ts'
import { median, publish, round } from '../report.ts'
import type { Row } from '../report.ts'

export const title = "Parallel Consumer's own table, ours beside the Java original on the same broker"

export const options = {
  rounds: option('5', 'rounds, in turns; the median counts'),
  'slow-rounds': option('1', 'rounds of what takes a minute each: by partition, and one key'),
  records: option('10000', 'records in each topic'),
  concurrency: option('100', 'handlers at a time'),
  partitions: option('1,10', 'numbers of partitions'),
  keys: option('1,10,20,1000', 'numbers of keys for the order by key'),
  seed: option('1', 'decides the keys and the 0 to 5 ms of work of each record, the same for both'),
  bootstrap: option('', 'a broker to use instead of one of its own'),
}

const timeoutMs = 600_000
const sides = { ours: measureOurs, Java: (job: ParallelJob) => runJava(job, timeoutMs) }
type Side = keyof typeof sides

interface Case {
  readonly partitions: number
  readonly order: ParallelJob['order']
  /** Keys in the topic; without an order by key they make no difference. */
  readonly keys: number
  readonly isSlow: boolean
  readonly measured: Readonly<Record<Side, ParallelMeasured[]>>
}

interface Settings {
  readonly records: number
  readonly concurrency: number
  readonly seed: number
}

export async function run(args: Readonly<Record<string, string>>): Promise<void> {
  const rounds = count(args, 'rounds')
  const slowRounds = Math.min(rounds, count(args, 'slow-rounds'))
  const settings = {
    records: count(args, 'records'),
    concurrency: count(args, 'concurrency'),
    seed: count(args, 'seed'),
  }
  const cases = casesOf(list(args, 'partitions'), list(args, 'keys'))
  await buildJava()
  await using broker = await openBroker(args['bootstrap']!)
  await using kafka = new Kafka({ brokers: [broker.bootstrap], clientId: 'bench' })
  const topics = new Topics(kafka, settings)
  try {
    for (let number = 1; number <= rounds; number++) {
      for (const each of cases.filter(({ isSlow }) => !isSlow || number <= slowRounds)) {
        await measureBoth(each, number, { bootstrap: broker.bootstrap, topics, settings })
      }
    }
  } finally {
    await topics.deleteAll()
  }
  publish({
    name: 'parallel',
    parameters: { rounds, slowRounds, ...settings, work: '0 to 5 ms', ...javaVersions() },
    tables: { [describeTable(settings)]: cases.map(row) },
    details: cases,
  })
}

function casesOf(partitionCounts: readonly number[], keyCounts: readonly number[]): readonly Case[] {
  const most = Math.max(...keyCounts)
  return partitionCounts.flatMap((partitions) => {
    const make = (order: ParallelJob['order'], keys: number): Case => {
      const isSlow = order === 'partition' || (order === 'key' && keys === 1)
      return { partitions, order, keys, isSlow, measured: { ours: [], Java: [] } }
    }
    return [make('partition', most), ...keyCounts.map((keys) => make('key', keys)), make('unordered', most)]
  })
}

/** Both one after the other, the one that begins alternating. */
async function measureBoth(
  each: Case,
  round: number,
  { bootstrap, topics, settings }: { bootstrap: string; topics: Topics; settings: Settings },
): Promise<void> {
  const { records, concurrency } = settings
  const { order, partitions, keys } = each
  const name = await topics.of(partitions, keys)
  const inTurn: readonly Side[] = round % 2 === 1 ? ['ours', 'Java'] : ['Java', 'ours']
  for (const side of inTurn) {
    const group = `bench-parallel-${crypto.randomUUID()}`
    const measured = await sides[side]({ bootstrap, topic: name, group, order, concurrency, records })
    each.measured[side].push(measured)
    const seconds = `${round3(measured.inAllMs)} s in all, ${round3(measured.sinceFirstMs)} s since the first record`
    console.log(`round ${round}  ${partitions} partitions, ${describe(each)}, ${side}: ${seconds}`)
  }
}

function measureOurs(job: ParallelJob): Promise<ParallelMeasured> {
  return inProcess<ParallelMeasured>('parallel.ts', job, { timeoutMs })
}

/** One topic for each number of partitions and keys; written when first asked for. */
class Topics {
  readonly #kafka: Kafka
  readonly #settings: Settings
  readonly #names = new Map<string, Promise<string>>()
  readonly #prefix = `bench-parallel-${Date.now()}`

  constructor(kafka: Kafka, settings: Settings) {
    this.#kafka = kafka
    this.#settings = settings
  }

  of(partitions: number, keys: number): Promise<string> {
    const name = `${this.#prefix}-${partitions}-${keys}`
    const made = this.#names.get(name) ?? this.#make(name, partitions, keys)
    this.#names.set(name, made)
    return made
  }

  async deleteAll(): Promise<void> {
    if (this.#names.size > 0) await this.#kafka.admin().deleteTopics([...this.#names.keys()])
  }

  async #make(name: string, partitions: number, keys: number): Promise<string> {
    await this.#kafka.admin().createTopics([{ name, partitions }])
    await using producer = await this.#kafka.producer()
    const target = topic(name, { key: text, value: text })
    const { records, seed } = this.#settings
    const random = seededRandom(seed)
    function* all() {
      for (let n = 0; n < records; n++) {
        yield { key: `key-${Math.floor(random() * keys)}`, value: String(Math.floor(random() * 6)) }
      }
    }
    let acknowledged = 0
    for await (const _ of producer.sendAll(target, all())) acknowledged++
    if (acknowledged !== records) throw new Error(`only ${acknowledged} of ${records} records were written to ${name}`)
    return name
  }
}

function row(each: Case): Row {
  const middle = (side: Side, of: keyof ParallelMeasured): number => median(each.measured[side].map((one) => one[of]))
  const [oursInAll, javaInAll] = [middle('ours', 'inAllMs'), middle('Java', 'inAllMs')]
  const [oursSinceFirst, javaSinceFirst] = [middle('ours', 'sinceFirstMs'), middle('Java', 'sinceFirstMs')]
  return {
    partitions: each.partitions,
    order: describe(each),
    rounds: each.measured.ours.length,
    'ours, s': round3(oursInAll),
    'Java, s': round3(javaInAll),
    'times as fast': round(javaInAll / oursInAll),
    'ours since first, s': round3(oursSinceFirst),
    'Java since first, s': round3(javaSinceFirst),
    'times as fast since first': round(javaSinceFirst / oursSinceFirst),
  }
}

function describeTable({ records, concurrency }: Settings): string {
  return `${records.toLocaleString('en-US')} records of 0 to 5 ms of work, ${concurrency} at a time, each in a new process`
}

function describe({ order, keys }: Case): string {
  if (order !== 'key') return order === 'partition' ? 'by partition' : order
  return keys === 1 ? 'by key, 1 key' : `by key, ${keys.toLocaleString('en-US')} keys`
}

function list(args: Readonly<Record<string, string>>, name: string): readonly number[] {
  return args[name]!.split(',').map((value) => count({ [name]: value }, name))
}

function round3(ms: number): number {
  return round(ms / 1_000)
}
