import type { CheckOptions } from './check.ts'
import type { Columns } from './history.ts'
import type { LogView } from './log-view.ts'
import type { Verdict } from './verdict.ts'

/** What handlers did and what was committed, held against the log. */
export class Handlings {
  readonly #columns: Columns
  readonly #log: LogView
  readonly #verdict: Verdict
  readonly #options: CheckOptions
  /** By record. */
  readonly #times: Int32Array
  /** By lane the row that was handled last, of those handled for the first time. */
  readonly #latestFirst = new Map<number, number>()
  /** By incarnation and lane the row that was handled last. */
  readonly #latestIn = new Map<number, Map<number, number>>()
  /** By partition how many of its rows lie below the highest commit. */
  readonly #committedRows: Int32Array
  /** Records that a commit passed before they were handled. */
  readonly #passed: number[] = []

  constructor(columns: Columns, log: LogView, verdict: Verdict, options: CheckOptions) {
    this.#columns = columns
    this.#log = log
    this.#verdict = verdict
    this.#options = options
    this.#times = new Int32Array(columns.sends.outcome.length)
    this.#committedRows = new Int32Array(log.partitions)
  }

  check(): void {
    const { incarnation, partition, value } = this.#columns.events
    for (let index = 0; index < value.length; index++) {
      if (partition[index] === -1) this.#handled(incarnation[index]!, value[index]!)
      else this.#committed(partition[index]!, value[index]!)
    }
    for (const id of this.#passed) if (this.#times[id]! > 0) this.#verdict.add('gap', id)
    this.#findUnhandled()
  }

  #handled(incarnation: number, id: number): void {
    if (!this.#log.has(id)) return this.#verdict.add(this.#log.wasTakenBack(id) ? 'aborted read' : 'phantom', id)
    const isFirst = ++this.#times[id]! === 1
    if (this.#log.isRepeated(id)) return
    if (!isFirst && this.#options.effects === 'exactly once') return this.#verdict.add('duplicate', id)
    const lane = this.#columns.sends.lane[id]!
    if (lane >= 0 && this.#isOutOfOrder(incarnation, lane, id, isFirst)) this.#verdict.add('reorder', id)
  }

  /** Handled again after a crash it may be, but never by the same incarnation, and never before its predecessor was. */
  #isOutOfOrder(incarnation: number, lane: number, id: number, isFirst: boolean): boolean {
    const row = this.#log.rowOf(id)
    let lanes = this.#latestIn.get(incarnation)
    if (lanes === undefined) this.#latestIn.set(incarnation, (lanes = new Map<number, number>()))
    const isBackwards = row <= (lanes.get(lane) ?? -1) || (isFirst && row < (this.#latestFirst.get(lane) ?? -1))
    if (isBackwards) return true
    lanes.set(lane, row)
    if (isFirst) this.#latestFirst.set(lane, row)
    return false
  }

  #committed(partition: number, offset: number): void {
    const { log } = this.#columns
    const rows = this.#log.rowsOf(partition)
    for (;;) {
      const row = rows[this.#committedRows[partition]!]
      if (row === undefined || log.offset[row]! >= offset) return
      this.#committedRows[partition]!++
      const id = log.id[row]!
      if (this.#times[id] === 0 && this.#log.rowOf(id) === row) this.#passed.push(id)
    }
  }

  /** Of what was committed past, and at the end of all that is in the log. */
  #findUnhandled(): void {
    const { log } = this.#columns
    for (let partition = 0; partition < this.#log.partitions; partition++) {
      const rows = this.#log.rowsOf(partition)
      const due = this.#options.complete ? rows : rows.subarray(0, this.#committedRows[partition])
      for (const row of due) {
        const id = log.id[row]!
        if (this.#times[id] === 0 && this.#log.rowOf(id) === row) this.#verdict.add('unhandled', id)
      }
    }
  }
}
