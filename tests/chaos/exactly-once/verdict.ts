import { amountOf, effectAnomalies, type Entry, keyOf } from '../../system/support/effects.ts'
import { readWithJava } from '../../system/support/java.ts'
import { compare } from '../../system/support/ledger.ts'
import { idsInTopic } from '../../system/support/sent-records.ts'
import { check } from '../history/check.ts'
import { History } from '../history/history.ts'
import type { Follower } from './follower.ts'
import { dumpLog, type LogDump } from './log-dump.ts'
import { type OnceGroup, outputsOf, partitions } from './once-group.ts'
import type { Place } from './source.ts'

/** A record that a pipe wrote; partitions are counted through its topics. */
interface OutputRow extends Place {
  readonly entry: Entry
}

/**
 * What must not have happened: an entry without its effect or with two, a key whose entries had theirs in another order,
 * a key whose sum is wrong. Of a pipe also: what is aborted and was seen, and a transaction of which a part was.
 */
export async function onceAnomalies(
  group: OnceGroup,
  follower: Follower | undefined,
  tell: (line: string) => void,
): Promise<string[]> {
  const { deserted, way } = group
  const found = way === 'pipe' ? await pipeAnomalies(group, follower!, tell) : await tableAnomalies(group, tell)
  return [...deserted, ...found].map((line) => `${group.topic}: ${line}`)
}

async function tableAnomalies(group: OnceGroup, tell: (line: string) => void): Promise<string[]> {
  const { topic, source, servers } = group
  const { rows } = await servers.pool.query<[string]>({
    text: `SELECT id FROM ${topic} ORDER BY place`,
    rowMode: 'array',
  })
  tell(`${topic}: ${source.places.length} records, ${rows.length} effects`)
  const effects = rows.map(([id]) => Number(id))
  const differing = await effectAnomalies(servers.pool, topic, source.places.length)
  return [...(await effectHistory(group, effects)), ...firstOf(differing)]
}

async function pipeAnomalies(group: OnceGroup, follower: Follower, tell: (line: string) => void): Promise<string[]> {
  const { topic, source, servers } = group
  const dump = await dumpLog(servers.stack.dataDir, outputsOf(topic), partitions)
  const [out = [], tenths = []] = await Promise.all(outputsOf(topic).map((_, index) => readOutputs(group, index, dump)))
  tell(`${topic}: ${source.places.length} records, ${out.length} and ${tenths.length} outputs; ${summary(dump)}`)
  return [
    ...(await effectHistory(
      group,
      out.map(({ entry }) => entry.id),
    )),
    ...sumAnomalies(out, source.places.length),
    ...tenthAnomalies(tenths, source.places.length),
    ...readAnomalies(dump, [...out, ...tenths], follower.seen),
  ]
}

/** What lies in the log against what Java reads of it as committed, and what a reader of ours saw as it came. */
function readAnomalies(dump: LogDump, read: readonly Place[], seen: readonly Place[]): string[] {
  const history = new History()
  for (const outcome of dump.transactions) history.transaction(outcome)
  const numbers = new Map<string, number>()
  for (const { partition, offset, transaction } of dump.rows) {
    const row = { producer: 0, partition, lane: partition, transaction, offset }
    numbers.set(`${partition}/${offset}`, history.send({ ...row, outcome: 'acknowledged' }))
  }
  const numberAt = ({ partition, offset }: Place): number => numbers.get(`${partition}/${offset}`) ?? -1
  for (const place of read) history.logged(place.partition, place.offset, numberAt(place))
  for (const place of seen) history.handled(0, numberAt(place))
  const verdict = check(history, { effects: 'exactly once', complete: true })
  const describe = (number: number): string => JSON.stringify(dump.rows[number] ?? number)
  return verdict.sentences(describe).map((line) => `what was read, ${line}`)
}

function summary({ rows, transactions }: LogDump): string {
  const aborted = rows.filter(({ transaction }) => transactions[transaction] === 'aborted').length
  const written = [...new Set(rows.map(({ transaction }) => transaction))]
  const of = (outcome: string): number => written.filter((one) => transactions[one] === outcome).length
  return `${of('committed')} transactions committed, ${of('aborted')} aborted with ${aborted} outputs`
}

/** Entries against their effects, in the order in which these came. */
async function effectHistory({ servers, topic, source }: OnceGroup, effects: readonly number[]): Promise<string[]> {
  const history = new History()
  for (const [id, { partition, offset }] of source.places.entries()) {
    history.send({ producer: 0, partition, lane: laneOf(id), outcome: 'acknowledged', offset })
  }
  for (const [partition, values] of await idsInTopic(servers.stack.kafka.bootstrapServers, topic)) {
    values.forEach((value, offset) => {
      if (value !== undefined) history.logged(partition, offset, (JSON.parse(value) as Entry).id)
    })
  }
  const invented = effects.filter((id) => source.places[id] === undefined)
  for (const id of effects) if (source.places[id] !== undefined) history.handled(0, id)
  const verdict = check(history, { effects: 'exactly once', complete: true })
  return [...verdict.sentences(), ...firstOf(invented.map((id) => `${id} has an effect and was never sent`))]
}

const laneOf = (id: number): number => Number(keyOf(id).slice('key-'.length))

function sumAnomalies(entries: readonly OutputRow[], count: number): string[] {
  const sums = new Map<string, number>()
  const add = (key: string, amount: number): unknown => sums.set(key, (sums.get(key) ?? 0) + amount)
  for (let id = 0; id < count; id++) add(keyOf(id), amountOf(id))
  for (const { entry } of entries) add(keyOf(entry.id), -entry.amount)
  return firstOf([...sums].flatMap(([key, sum]) => (sum === 0 ? [] : [`${key} adds up to ${-sum} more than was sent`])))
}

function tenthAnomalies(tenths: readonly OutputRow[], count: number): string[] {
  const expected = Array.from({ length: count }, (_, id) => String(id)).filter((id) => id.endsWith('0'))
  const found = tenths.map(({ entry }) => String(entry.id))
  const { missing, repeats, unacknowledged } = compare(expected, found)
  const isSound = missing.length + repeats + unacknowledged === 0
  return isSound ? [] : [`of the tenths ${missing.length} are missing, ${repeats} twice, ${unacknowledged} unasked for`]
}

/**
 * What Java reads as committed: by partition, in the order of offsets. As many records as are committed by the dump: one
 * that should not be seen takes the place of another, which is missed then.
 */
async function readOutputs({ servers, topic }: OnceGroup, index: number, dump: LogDump): Promise<OutputRow[]> {
  const isOf = (partition: number): boolean => Math.floor(partition / partitions) === index
  const records = dump.rows.filter(
    ({ partition, transaction }) => isOf(partition) && dump.transactions[transaction] !== 'aborted',
  ).length
  const format = ['print.partition=true', 'print.offset=true']
  const reading = { format, records, timeoutMs: 600_000 }
  const lines = await readWithJava(servers.stack.kafka.bootstrapServers, outputsOf(topic)[index]!, reading)
  const rows = lines.flatMap((line): OutputRow[] => {
    const [, partition, offset, value] = /^Partition:(\d+)\tOffset:(\d+)\t(.*)$/.exec(line) ?? []
    if (value === undefined) return []
    const place = { partition: index * partitions + Number(partition), offset: Number(offset) }
    return [{ ...place, entry: JSON.parse(value) as Entry }]
  })
  return rows.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

function firstOf(found: readonly string[]): string[] {
  return found.length > 5 ? [...found.slice(0, 5), `and ${found.length - 5} more like that`] : [...found]
}
