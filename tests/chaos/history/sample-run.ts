import { History } from './history.ts'
import type { SendOutcome, TransactionOutcome } from './history.ts'

/** What a run consists of, as plain objects that faults can be planted into. */
export interface SampleRun {
  readonly sends: SampleSend[]
  readonly transactions: TransactionOutcome[]
  /** By partition, in the order of offsets. */
  log: SampleRow[][]
  events: SampleEvent[]
}

interface SampleSend {
  readonly producer: number
  readonly partition: number
  readonly lane: number
  readonly transaction: number
  readonly outcome: SendOutcome
  offset: number
}

export interface SampleRow {
  readonly offset: number
  id: number
}

export type SampleEvent =
  | { readonly kind: 'handled'; readonly incarnation: number; readonly partition: number; id: number }
  | { readonly kind: 'committed'; readonly incarnation: number; readonly partition: number; readonly offset: number }

const partitions = 8
const producers = 5
const lanes = 400

/** A sound run of so many records: some refused, some in doubt, some in transactions of which some were aborted. */
export function sampleSends(records: number, random: () => number): SampleRun {
  const run: SampleRun = { sends: [], transactions: [], log: Array.from({ length: partitions }, () => []), events: [] }
  while (run.sends.length < records) {
    if (random() < 0.1) addTransaction(run, random)
    else addSend(run, random, -1, pick(random, { acknowledged: 0.9, refused: 0.05, unknown: 0.05 }), random() < 0.5)
  }
  return run
}

function addTransaction(run: SampleRun, random: () => number): void {
  const outcome = pick(random, { committed: 0.6, aborted: 0.2, unknown: 0.2 })
  const isVisible = outcome === 'committed' || (outcome === 'unknown' && random() < 0.5)
  const transaction = run.transactions.push(outcome) - 1
  const size = 2 + Math.floor(random() * 6)
  for (let index = 0; index < size; index++) addSend(run, random, transaction, 'acknowledged', isVisible)
}

/** Offsets leave room, as transaction markers do: so that rows can be planted in between. */
function addSend(
  run: SampleRun,
  random: () => number,
  transaction: number,
  outcome: SendOutcome,
  unknownIsThere: boolean,
): void {
  const lane = Math.floor(random() * lanes)
  const partition = lane % partitions
  const isThere = transaction >= 0 || outcome === 'unknown' ? unknownIsThere : outcome === 'acknowledged'
  const offset = (run.log[partition]!.at(-1)?.offset ?? 0) + 100 + Math.floor(random() * 2)
  const producer = Math.floor(random() * producers)
  const told = isThere && outcome === 'acknowledged' ? offset : -1
  const id = run.sends.push({ producer, partition, lane, transaction, outcome, offset: told }) - 1
  if (isThere) run.log[partition]!.push({ offset, id })
}

/**
 * Consumers that handle what the log holds, lanes side by side and each in order, with commits in between. With
 * `crashes` some of what was handled is handled again by a later incarnation.
 */
export function sampleHandlings(run: SampleRun, random: () => number, crashes: boolean): void {
  let incarnation = 0
  for (const [partition, rows] of run.log.entries()) {
    incarnation++
    for (let from = 0; from < rows.length;) {
      const chunk = rows.slice(from, from + 1 + Math.floor(random() * 40))
      handle(run, random, incarnation, partition, chunk)
      if (crashes && random() < 0.1) {
        incarnation++
        continue
      }
      from += chunk.length
      run.events.push({ kind: 'committed', incarnation, partition, offset: chunk.at(-1)!.offset + 1 })
    }
  }
}

function handle(
  run: SampleRun,
  random: () => number,
  incarnation: number,
  partition: number,
  rows: readonly SampleRow[],
): void {
  const known = rows.filter(({ id }) => id >= 0)
  const byLane = Map.groupBy(known, ({ id }) => run.sends[id]!.lane)
  const waiting = [...byLane.values()].map((row) => row.toReversed())
  while (waiting.length > 0) {
    const at = Math.floor(random() * waiting.length)
    const { id } = waiting[at]!.pop()!
    run.events.push({ kind: 'handled', incarnation, partition, id })
    if (waiting[at]!.length === 0) waiting.splice(at, 1)
  }
}

export function toHistory({ sends, transactions, log, events }: SampleRun): History {
  const history = new History()
  for (const outcome of transactions) history.transaction(outcome)
  for (const send of sends) history.send(send)
  for (const [partition, rows] of log.entries()) {
    for (const { offset, id } of rows) history.logged(partition, offset, id)
  }
  for (const event of events) {
    if (event.kind === 'handled') history.handled(event.incarnation, event.id)
    else history.committed(event.incarnation, event.partition, event.offset)
  }
  return history
}

function pick<Name extends string>(random: () => number, shares: Readonly<Record<Name, number>>): Name {
  let left = random()
  const names = Object.entries<number>(shares) as [Name, number][]
  return names.find(([, share]) => (left -= share) < 0)?.[0] ?? names[0]![0]
}
