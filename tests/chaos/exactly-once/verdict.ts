import { amountOf, effectAnomalies, type Entry, keyOf } from '../../system/support/effects.ts'
import { readWithJava } from '../../system/support/java.ts'
import { compare } from '../../system/support/ledger.ts'
import { idsInTopic } from '../../system/support/sent-records.ts'
import { check } from '../history/check.ts'
import { History } from '../history/history.ts'
import type { Follower } from './follower.ts'
import { dumpLog } from './log-dump.ts'
import { type OnceGroup, outputsOf, partitions } from './once-group.ts'
import type { Place } from './source.ts'

/** A record of a topic as Java reads it. */
interface ReadEntry extends Place {
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
  return [...(await historyOf(group, effects)), ...firstOf(differing)]
}

async function pipeAnomalies(group: OnceGroup, follower: Follower, tell: (line: string) => void): Promise<string[]> {
  const { topic, source, servers } = group
  const [outName, tenthsName] = outputsOf(topic)
  const [out, tenths] = await Promise.all([outName, tenthsName].map((name) => readEntries(group, name)))
  const ids = source.places.map((_, id) => id)
  const found = [
    ...(await historyOf(
      group,
      out!.map(({ entry }) => entry.id),
    )),
    ...sumAnomalies(out!, source.places.length),
    ...tenthAnomalies(ids, tenths!),
  ]
  const dump = await dumpLog(servers.stack.dataDir, [outName, tenthsName], partitions)
  const history = new History()
  for (const outcome of dump.transactions) history.transaction(outcome)
  const numbers = new Map<string, number>()
  for (const { partition, offset, transaction } of dump.rows) {
    const number = history.send({
      producer: 0,
      partition,
      lane: partition,
      transaction,
      outcome: 'acknowledged',
      offset,
    })
    numbers.set(`${partition}/${offset}`, number)
  }
  const numberAt = ({ partition, offset }: Place): number => numbers.get(`${partition}/${offset}`) ?? -1
  for (const row of out!) history.logged(row.partition, row.offset, numberAt(row))
  for (const row of tenths!)
    history.logged(row.partition + partitions, row.offset, numberAt({ ...row, partition: row.partition + partitions }))
  for (const place of follower.seen) history.handled(0, numberAt(place))
  const verdict = check(history, { effects: 'exactly once', complete: true })
  const aborted = dump.rows.filter(({ transaction }) => dump.transactions[transaction] === 'aborted').length
  const outcomes = Map.groupBy(
    new Set(dump.rows.map(({ transaction }) => transaction)),
    (one) => dump.transactions[one]!,
  )
  const transactions = [...outcomes].map(([outcome, own]) => `${own.length} ${outcome}`).join(', ')
  tell(
    `${topic}: ${source.places.length} records, ${out!.length} + ${tenths!.length} outputs, ${aborted} more aborted; transactions: ${transactions}; ${follower.seen.length} seen as they came`,
  )
  const describe = (number: number): string => JSON.stringify(dump.rows[number] ?? number)
  return [...found, ...verdict.sentences(describe).map((line) => `what was read, ${line}`)]
}

/** Entries against their effects, in the order in which these came. */
async function historyOf({ servers, topic, source }: OnceGroup, effects: readonly number[]): Promise<string[]> {
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

function sumAnomalies(entries: readonly ReadEntry[], count: number): string[] {
  const sums = new Map<string, number>()
  const add = (key: string, amount: number): unknown => sums.set(key, (sums.get(key) ?? 0) + amount)
  for (let id = 0; id < count; id++) add(keyOf(id), amountOf(id))
  for (const { entry } of entries) add(keyOf(entry.id), -entry.amount)
  return firstOf([...sums].flatMap(([key, sum]) => (sum === 0 ? [] : [`${key} adds up to ${-sum} more than was sent`])))
}

function tenthAnomalies(ids: readonly number[], tenths: readonly ReadEntry[]): string[] {
  const expected = ids.filter((id) => id % 10 === 0).map(String)
  const { missing, repeats, unacknowledged } = compare(
    expected,
    tenths.map(({ entry }) => String(entry.id)),
  )
  const isSound = missing.length + repeats + unacknowledged === 0
  return isSound ? [] : [`of the tenths ${missing.length} are missing, ${repeats} twice, ${unacknowledged} unasked for`]
}

/** By partition, in the order of offsets. */
async function readEntries({ servers }: OnceGroup, name: string): Promise<ReadEntry[]> {
  const format = ['print.partition=true', 'print.offset=true']
  const { bootstrapServers } = servers.stack.kafka
  const lines = await readWithJava(bootstrapServers, name, { format, untilIdleMs: 8_000, timeoutMs: 600_000 })
  const entries = lines.flatMap((line): ReadEntry[] => {
    const row = /^Partition:(\d+)\tOffset:(\d+)\t(.*)$/.exec(line)
    return row === null
      ? []
      : [{ partition: Number(row[1]), offset: Number(row[2]), entry: JSON.parse(row[3]!) as Entry }]
  })
  return entries.sort((a, b) => a.partition - b.partition || a.offset - b.offset)
}

function firstOf(found: readonly string[]): string[] {
  return found.length > 5 ? [...found.slice(0, 5), `and ${found.length - 5} more like that`] : [...found]
}
