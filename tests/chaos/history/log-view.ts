import type { Columns } from './history.ts'
import type { Verdict } from './verdict.ts'

const acknowledged = 0
const refused = 1
const aborted = 1

/** The log by record and by partition, checked as it is read. */
export class LogView {
  readonly #columns: Columns
  readonly #verdict: Verdict
  /** By record the row where it stands first; -1: nowhere. */
  readonly #rowOf: Int32Array
  /** Rows grouped by partition, each in the order of its offsets; where a partition begins by partition. */
  readonly #rows: Int32Array
  readonly #starts: Int32Array
  readonly #repeated = new Set<number>()

  constructor(columns: Columns, verdict: Verdict) {
    this.#columns = columns
    this.#verdict = verdict
    this.#rowOf = new Int32Array(columns.sends.outcome.length).fill(-1)
    const partitions = 1 + highest(columns.log.partition, columns.sends.partition)
    this.#starts = countsByPartition(columns.log.partition, partitions)
    this.#rows = groupRows(columns.log.partition, this.#starts)
    this.#readAll(partitions)
  }

  has(id: number): boolean {
    return this.#rowOf[id]! >= 0
  }

  /** Grows with the offset within a partition. */
  rowOf(id: number): number {
    return this.#rowOf[id]!
  }

  /** Of such a record no handling can be told from another by its number. */
  isRepeated(id: number): boolean {
    return this.#repeated.has(id)
  }

  get partitions(): number {
    return this.#starts.length - 1
  }

  /** Of one partition, in the order of offsets. */
  rowsOf(partition: number): Int32Array {
    return this.#rows.subarray(this.#starts[partition], this.#starts[partition + 1])
  }

  wasTakenBack(id: number): boolean {
    const { sends, transactions } = this.#columns
    const transaction = sends.transaction[id]!
    return sends.outcome[id] === refused || (transaction >= 0 && transactions[transaction] === aborted)
  }

  #readAll(partitions: number): void {
    const { sends, log } = this.#columns
    const producers = 1 + highest(sends.producer)
    /** By producer and partition the record seen last. */
    const latest = new Int32Array(producers * partitions).fill(-1)
    for (const row of this.#rows) {
      const id = log.id[row]!
      if (!(id >= 0 && id < this.#rowOf.length)) {
        this.#verdict.add('phantom', row)
        continue
      }
      if (this.#rowOf[id]! >= 0) {
        this.#verdict.add('duplicate', id)
        this.#repeated.add(id)
        continue
      }
      this.#rowOf[id] = row
      this.#checkPlace(id, row)
      const source = sends.producer[id]! * partitions + log.partition[row]!
      if (latest[source]! > id) this.#verdict.add('reorder', id)
      else latest[source] = id
    }
  }

  #checkPlace(id: number, row: number): void {
    const { sends, log } = this.#columns
    if (this.wasTakenBack(id)) this.#verdict.add('aborted read', id)
    const wasTold = sends.outcome[id] === acknowledged && sends.offset[id] !== -1
    const isElsewhere = sends.partition[id] !== log.partition[row] || (wasTold && sends.offset[id] !== log.offset[row])
    if (isElsewhere) this.#verdict.add('misplaced', id)
  }
}

function highest(...columns: readonly Float64Array[]): number {
  let most = -1
  for (const column of columns) for (const value of column) if (value > most) most = value
  return most
}

/** Where the rows of each partition begin once they are grouped; one entry more at the end. */
function countsByPartition(partitionOf: Float64Array, partitions: number): Int32Array {
  const starts = new Int32Array(partitions + 1)
  for (const partition of partitionOf) starts[partition + 1]!++
  for (let partition = 0; partition < partitions; partition++) starts[partition + 1]! += starts[partition]!
  return starts
}

function groupRows(partitionOf: Float64Array, starts: Int32Array): Int32Array {
  const rows = new Int32Array(partitionOf.length)
  const next = starts.slice()
  for (let row = 0; row < partitionOf.length; row++) rows[next[partitionOf[row]!]!++] = row
  return rows
}
