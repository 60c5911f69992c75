import type { SampleEvent, SampleRow, SampleRun } from './sample-run.ts'
import type { Anomaly } from './verdict.ts'

/** Plants one anomaly many times; returns the witnesses that a check has to name, and no others. */
type Plant = (run: SampleRun, count: number) => readonly number[]

export interface Fault {
  readonly anomaly: Anomaly
  readonly title: string
  /** Into what was sent and written; what handlers did follows from it. */
  readonly inLog?: Plant
  /** Into what handlers did. */
  readonly inHandlings?: Plant
  /** Needs handlers that promise once; else a second time is allowed after a crash. */
  readonly exactlyOnce?: boolean
}

export const faults: readonly Fault[] = [
  { anomaly: 'lost', title: 'an acknowledged record is not written', inLog: dropAcknowledged },
  { anomaly: 'lost', title: 'a committed transaction is not written', inLog: dropCommitted },
  { anomaly: 'duplicate', title: 'a record is written twice', inLog: writeTwice },
  {
    anomaly: 'duplicate',
    title: 'a record is handled twice, once being promised',
    inHandlings: handleTwice,
    exactlyOnce: true,
  },
  { anomaly: 'aborted read', title: 'a refused or aborted record is written', inLog: writeRefused },
  { anomaly: 'aborted read', title: 'a refused or aborted record is handled', inHandlings: handleRefused },
  { anomaly: 'reorder', title: 'two records of a producer change places', inLog: swapWritten },
  { anomaly: 'reorder', title: 'two records of a lane are handled the wrong way round', inHandlings: swapHandled },
  { anomaly: 'gap', title: 'a commit passes a record that is handled later', inHandlings: commitTooFar },
  { anomaly: 'torn transaction', title: 'one record of a transaction is not written', inLog: tear },
  { anomaly: 'torn transaction', title: 'one record of a transaction in doubt is written', inLog: writePart },
  { anomaly: 'unhandled', title: 'a record is passed over', inHandlings: passOver },
  { anomaly: 'phantom', title: 'a record that nobody sent', inLog: writeUnknown },
  { anomaly: 'phantom', title: 'what is not in the log is handled', inHandlings: handleUnwritten },
  { anomaly: 'misplaced', title: 'an acknowledgement names another offset', inLog: tellWrongOffset },
]

/** At most `count` of the candidates, evenly spread. */
function spread<T>(candidates: readonly T[], count: number): T[] {
  const step = Math.max(1, candidates.length / count)
  return Array.from({ length: Math.min(count, candidates.length) }, (_, index) => candidates[Math.floor(index * step)]!)
}

function removeRows(run: SampleRun, ids: readonly number[]): void {
  const gone = new Set(ids)
  run.log = run.log.map((rows) => rows.filter(({ id }) => !gone.has(id)))
}

const writtenIds = (run: SampleRun): number[] => run.log.flatMap((rows) => rows.map(({ id }) => id))

function dropAcknowledged(run: SampleRun, count: number): number[] {
  const candidates = writtenIds(run).filter((id) => {
    const { outcome, transaction } = run.sends[id]!
    return outcome === 'acknowledged' && transaction === -1
  })
  const dropped = spread(candidates, count)
  removeRows(run, dropped)
  return dropped
}

function dropCommitted(run: SampleRun, count: number): number[] {
  const committed = [...run.transactions.keys()].filter((number) => run.transactions[number] === 'committed')
  const chosen = new Set(spread(committed, count))
  const dropped = writtenIds(run).filter((id) => chosen.has(run.sends[id]!.transaction))
  removeRows(run, dropped)
  return dropped
}

function writeTwice(run: SampleRun, count: number): number[] {
  const chosen = spread(writtenIds(run), count)
  for (const id of chosen) {
    const rows = run.log[run.sends[id]!.partition]!
    rows.push({ offset: rows.at(-1)!.offset + 2, id })
  }
  return chosen
}

function writeRefused(run: SampleRun, count: number): number[] {
  const chosen = spread(takenBack(run), count)
  for (const rows of run.log) insertInOrder(run, rows, chosen)
  return chosen
}

/** As by a consumer that reads what is not committed. */
function handleRefused(run: SampleRun, count: number): number[] {
  const chosen = spread(takenBack(run), count)
  for (const id of chosen) run.events.push({ kind: 'handled', incarnation: 0, partition: run.sends[id]!.partition, id })
  return chosen
}

/** What is certainly not to be seen, and is not. */
function takenBack(run: SampleRun): number[] {
  const written = new Set(writtenIds(run))
  return run.sends.flatMap(({ outcome, transaction }, id) => {
    const isAborted = transaction >= 0 && run.transactions[transaction] === 'aborted'
    return (outcome === 'refused' || isAborted) && !written.has(id) ? [id] : []
  })
}

/** Where the record would stand had it been written when it was sent. */
function insertInOrder(run: SampleRun, rows: SampleRow[], ids: readonly number[]): void {
  const partition = run.log.indexOf(rows)
  const own = ids.filter((id) => run.sends[id]!.partition === partition)
  const all = [...rows.map(({ id }) => id), ...own].toSorted((a, b) => a - b)
  const offsets = new Map(rows.map(({ id, offset }) => [id, offset]))
  let previous = 0
  run.log[partition] = all.map((id) => {
    previous = offsets.get(id) ?? previous + 1
    return { id, offset: previous }
  })
}

/** Neighbours of one producer, each record once at most. */
function swapWritten(run: SampleRun, count: number): number[] {
  const pairs: [SampleRow, SampleRow][] = []
  for (const rows of run.log) {
    const waiting = new Map<number, SampleRow>()
    for (const row of rows) {
      const { producer } = run.sends[row.id]!
      const before = waiting.get(producer)
      if (before === undefined) waiting.set(producer, row)
      else {
        pairs.push([before, row])
        waiting.delete(producer)
      }
    }
  }
  return spread(pairs, count).map(([first, second]) => {
    const [earlier, later] = [first.id, second.id]
    ;[first.id, second.id] = [later, earlier]
    for (const row of [first, second]) {
      const send = run.sends[row.id]!
      if (send.offset !== -1) send.offset = row.offset
    }
    return earlier
  })
}

/** Which of two rows of a lane come one right after the other, by the events that handle them for the first time. */
function swapHandled(run: SampleRun, count: number): number[] {
  type Handled = Extract<SampleEvent, { kind: 'handled' }>
  const timesHandled = new Map<number, number>()
  const handled = run.events.filter((event): event is Handled => event.kind === 'handled')
  for (const { id } of handled) timesHandled.set(id, (timesHandled.get(id) ?? 0) + 1)
  const pairs: [Handled, Handled][] = []
  const waiting = new Map<string, Handled>()
  let commits = 0
  for (const event of run.events) {
    if (event.kind === 'committed') {
      commits++
      continue
    }
    const { lane } = run.sends[event.id]!
    // Between two commits, or the swap would also make a gap.
    const place = `${commits}/${event.incarnation}/${lane}`
    const before = waiting.get(place)
    if (timesHandled.get(event.id) !== 1) waiting.delete(place)
    else if (before === undefined) waiting.set(place, event)
    else {
      pairs.push([before, event])
      waiting.delete(place)
    }
  }
  return spread(pairs, count).map(([first, second]) => {
    const [earlier, later] = [first.id, second.id]
    ;[first.id, second.id] = [later, earlier]
    return earlier
  })
}

function handleTwice(run: SampleRun, count: number): number[] {
  const handled = run.events.filter((event) => event.kind === 'handled')
  const chosen = spread(handled, count)
  run.events.push(...chosen)
  return chosen.map(({ id }) => id)
}

/** Right before a record is handled that is the next one without a hole. */
function commitTooFar(run: SampleRun, count: number): number[] {
  const done = new Set<number>()
  const next = run.log.map(() => 0)
  const candidates: { readonly at: number; readonly id: number; readonly commit: SampleEvent }[] = []
  for (const [at, event] of run.events.entries()) {
    if (event.kind === 'committed') continue
    const { partition, incarnation, id } = event
    const rows = run.log[partition]!
    const row = rows[next[partition]!]
    if (row?.id === id) {
      candidates.push({ at, id, commit: { kind: 'committed', incarnation, partition, offset: row.offset + 1 } })
    }
    done.add(id)
    while (done.has(rows[next[partition]!]?.id ?? -1)) next[partition]!++
  }
  const chosen = new Map(spread(candidates, count).map((candidate) => [candidate.at, candidate]))
  run.events = run.events.flatMap((event, at) => {
    const planted = chosen.get(at)
    return planted === undefined ? [event] : [planted.commit, event]
  })
  return [...chosen.values()].map(({ id }) => id)
}

function tear(run: SampleRun, count: number): number[] {
  const first = new Map<number, number>()
  for (const id of writtenIds(run)) {
    const { transaction } = run.sends[id]!
    if (transaction >= 0) first.set(transaction, id)
  }
  const chosen = spread([...first], count)
  removeRows(
    run,
    chosen.map(([, id]) => id),
  )
  return chosen.map(([transaction]) => transaction)
}

/** As by an end that came late, and committed what was there by then. */
function writePart(run: SampleRun, count: number): number[] {
  const written = new Set(writtenIds(run))
  const first = new Map<number, number>()
  for (const [id, { transaction }] of run.sends.entries()) {
    if (transaction >= 0 && run.transactions[transaction] === 'unknown' && !first.has(transaction)) {
      first.set(transaction, id)
    }
  }
  const chosen = spread(
    [...first].filter(([, id]) => !written.has(id)),
    count,
  )
  for (const rows of run.log) {
    insertInOrder(
      run,
      rows,
      chosen.map(([, id]) => id),
    )
  }
  return chosen.map(([transaction]) => transaction)
}

function passOver(run: SampleRun, count: number): number[] {
  const chosen = new Set(spread(writtenIds(run), count))
  run.events = run.events.filter((event) => event.kind === 'committed' || !chosen.has(event.id))
  return [...chosen]
}

/** Its witness is the row; rows are counted through all partitions. */
function writeUnknown(run: SampleRun, count: number): number[] {
  const [rows] = run.log
  const last = rows!.at(-1)!.offset
  const first = rows!.length
  const numbers = Array.from({ length: count }, (_, index) => index)
  for (const number of numbers) rows!.push({ offset: last + 2 + number, id: -1 })
  return numbers.map((number) => first + number)
}

function handleUnwritten(run: SampleRun, count: number): number[] {
  const written = new Set(writtenIds(run))
  const unwritten = run.sends.flatMap(({ outcome }, id) => (outcome === 'unknown' && !written.has(id) ? [id] : []))
  const chosen = spread(unwritten, count)
  for (const id of chosen) run.events.push({ kind: 'handled', incarnation: 0, partition: run.sends[id]!.partition, id })
  return chosen
}

function tellWrongOffset(run: SampleRun, count: number): number[] {
  const told = writtenIds(run).filter((id) => run.sends[id]!.offset !== -1)
  const chosen = spread(told, count)
  for (const id of chosen) run.sends[id]!.offset++
  return chosen
}
