import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Kafka } from '@sluice/kafka'
import { count, option } from '../bench.ts'
import { openBroker } from '../broker.ts'
import type { Measured } from '../clients/client.ts'
import { type Task, clients } from '../clients/index.ts'
import { type Settings, Topics } from '../clients/topics.ts'
import { inProcess } from '../in-process.ts'
import { type Row, median, publish, round } from '../report.ts'

export const title = 'this checkout beside another one of Sluice: ratios of pairs that were measured in turn'

export const options = {
  tree: option('', 'the other checkout, with its dependencies installed: what was before'),
  rounds: option('7', 'pairs of each row'),
  records: option('1000000', 'records sent in one measurement, at most'),
  backlog: option('1000000', 'records that a consumer finds in its topic'),
  seconds: option('3', 'length of one measurement, at most'),
  sizes: option('200,1024', 'bytes of a value'),
  partitions: option('6', 'partitions of each topic'),
  ways: option('single sends; default limits; order by key, default limits', 'what names of rows begin with'),
  bootstrap: option('', 'a broker to use instead of one of its own'),
}

/** What is measured in both checkouts. */
interface Pairing {
  readonly task: Task
  readonly way: string
  readonly valueBytes: number
}

interface Pair {
  readonly before: Measured
  readonly after: Measured
}

export async function run(args: Readonly<Record<string, string>>): Promise<void> {
  const other = join(resolve(args['tree']!), 'bench', 'src')
  if (args['tree'] === '' || !existsSync(other)) throw new RangeError('--tree: give the folder of another checkout')
  const rounds = count(args, 'rounds')
  const settings: Settings = {
    records: count(args, 'records'),
    backlog: count(args, 'backlog'),
    maxSeconds: count(args, 'seconds'),
    partitions: count(args, 'partitions'),
  }
  await using broker = await openBroker(args['bootstrap']!)
  await using kafka = new Kafka({ brokers: [broker.bootstrap], clientId: 'bench' })
  const topics = new Topics(kafka, broker.bootstrap, settings)
  const pairings = await allPairings(args)
  const results = new Map<Pairing, Pair[]>(pairings.map((pairing) => [pairing, []]))
  try {
    for (let number = 0; number < rounds; number++) {
      for (const pairing of pairings) {
        const measureIn = (folder: string): Promise<Measured> =>
          measure(pairing, topics, broker.bootstrap, settings, folder)
        results.get(pairing)!.push(
          await inTurn(
            number,
            () => measureIn(other),
            () => measureIn(import.meta.dirname + '/..'),
          ),
        )
        const { before, after } = results.get(pairing)!.at(-1)!
        console.log(`round ${number + 1}/${rounds}  ${describe(pairing)}: ${round(rate(after) / rate(before))}`)
      }
    }
  } finally {
    await topics.deleteAll()
  }
  const details = [...results].map(([pairing, pairs]) => ({ ...pairing, pairs }))
  const tables = { 'after / before': [...results].map(([pairing, pairs]) => row(pairing, pairs)) }
  publish({ name: 'before', parameters: { rounds, ...settings }, tables, details })
}

async function allPairings(args: Readonly<Record<string, string>>): Promise<Pairing[]> {
  const ways = await clients['sluice']!()
  const sizes = args['sizes']!.split(',').map((size) => count({ sizes: size }, 'sizes'))
  const wanted = args['ways']!.split(';').map((way) => way.trim())
  return (['produce', 'consume'] as const).flatMap((task) =>
    Object.keys(ways[task])
      .filter((way) => wanted.some((start) => way.startsWith(start)))
      .flatMap((way) => sizes.map((valueBytes) => ({ task, way, valueBytes }))),
  )
}

/** Every other round begins with the other one, so that a drift of the machine falls on both alike. */
async function inTurn(number: number, before: () => Promise<Measured>, after: () => Promise<Measured>): Promise<Pair> {
  if (number % 2 === 0) return { before: await before(), after: await after() }
  const second = await after()
  return { before: await before(), after: second }
}

async function measure(pairing: Pairing, topics: Topics, bootstrap: string, settings: Settings, folder: string) {
  const { task, valueBytes } = pairing
  const isSending = task === 'produce'
  const topic = isSending ? await topics.create() : await topics.backlog(valueBytes)
  const records = isSending ? settings.records : settings.backlog
  const job = { ...pairing, client: 'sluice', bootstrap, topic, records, maxSeconds: settings.maxSeconds }
  const measured = await inProcess<Measured>('client.ts', job, { folder })
  if (isSending) await topics.delete(topic)
  return measured
}

function row(pairing: Pairing, pairs: readonly Pair[]): Row {
  const ratios = pairs.map(({ before, after }) => rate(after) / rate(before))
  return {
    row: describe(pairing),
    'records/s before': round(median(pairs.map(({ before }) => rate(before)))),
    after: round(median(pairs.map(({ after }) => rate(after)))),
    'ratio, median': round(median(ratios)),
    lowest: round(Math.min(...ratios)),
    highest: round(Math.max(...ratios)),
    'CPU s/million before': round(median(pairs.map(({ before }) => cpuSeconds(before)))),
    'CPU after': round(median(pairs.map(({ after }) => cpuSeconds(after)))),
  }
}

const rate = ({ records, seconds }: Measured): number => records / seconds
const cpuSeconds = ({ cpuSeconds: used, records }: Measured): number => (used / records) * 1e6
const describe = ({ task, way, valueBytes }: Pairing): string => `${task} ${valueBytes} B, ${way}`
