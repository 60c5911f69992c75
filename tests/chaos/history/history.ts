import { Column } from './column.ts'

/** What the producer was told of a record. `unknown`: it may be in the log, once, or not. */
export type SendOutcome = 'acknowledged' | 'refused' | 'unknown'
export type TransactionOutcome = 'committed' | 'aborted' | 'unknown'

const sendOutcomes: readonly SendOutcome[] = ['acknowledged', 'refused', 'unknown']
const transactionOutcomes: readonly TransactionOutcome[] = ['committed', 'aborted', 'unknown']

export interface Send {
  /** Whose order counts: one producer process. */
  readonly producer: number
  readonly partition: number
  /** What is handled one after the other: a key, say. -1: nothing. */
  readonly lane?: number
  /** -1: none. */
  readonly transaction?: number
  readonly outcome: SendOutcome
  /** Where it was acknowledged; -1: not told. */
  readonly offset?: number
}

/**
 * What was seen of a run: what producers were told, what an independent reader found in the log, and what handlers did,
 * each in its own order. Records, producers, partitions, lanes, transactions and incarnations are numbers from 0 that
 * the one who records gives them.
 */
export class History {
  readonly #sends = {
    producer: new Column(),
    partition: new Column(),
    lane: new Column(),
    transaction: new Column(),
    outcome: new Column(),
    offset: new Column(),
  }
  readonly #transactions = new Column()
  readonly #log = { partition: new Column(), offset: new Column(), id: new Column() }
  readonly #events = { incarnation: new Column(), partition: new Column(), value: new Column() }

  /** The number of the record. Of one producer, in the order of its sends. */
  send({ producer, partition, lane = -1, transaction = -1, outcome, offset = -1 }: Send): number {
    this.#sends.producer.push(producer)
    this.#sends.partition.push(partition)
    this.#sends.lane.push(lane)
    this.#sends.transaction.push(transaction)
    this.#sends.offset.push(offset)
    return this.#sends.outcome.push(sendOutcomes.indexOf(outcome))
  }

  /** The number of the transaction. */
  transaction(outcome: TransactionOutcome): number {
    return this.#transactions.push(transactionOutcomes.indexOf(outcome))
  }

  /** A record as a reader of committed records found it; of one partition in the order of its offsets. */
  logged(partition: number, offset: number, id: number): void {
    this.#log.partition.push(partition)
    this.#log.offset.push(offset)
    this.#log.id.push(id)
  }

  /** An incarnation of a consumer has handled a record; in the order of time. */
  handled(incarnation: number, id: number): void {
    this.#events.incarnation.push(incarnation)
    this.#events.partition.push(-1)
    this.#events.value.push(id)
  }

  /** A commit of everything below `offset` was acknowledged; in the order of time, among what was handled. */
  committed(incarnation: number, partition: number, offset: number): void {
    this.#events.incarnation.push(incarnation)
    this.#events.partition.push(partition)
    this.#events.value.push(offset)
  }

  get columns(): Columns {
    return {
      sends: views(this.#sends),
      transactions: this.#transactions.view(),
      log: views(this.#log),
      events: views(this.#events),
    }
  }
}

type Views<Names extends string> = Readonly<Record<Names, Float64Array>>

/** The same by column, for the checks. */
export interface Columns {
  /** `outcome`: 0 acknowledged, 1 refused, 2 unknown. */
  readonly sends: Views<'producer' | 'partition' | 'lane' | 'transaction' | 'outcome' | 'offset'>
  /** 0 committed, 1 aborted, 2 unknown. */
  readonly transactions: Float64Array
  readonly log: Views<'partition' | 'offset' | 'id'>
  /** `partition` -1: record `value` was handled; else a commit of that partition up to `value`. */
  readonly events: Views<'incarnation' | 'partition' | 'value'>
}

function views<Names extends string>(columns: Readonly<Record<Names, Column>>): Views<Names> {
  const entries = Object.entries<Column>(columns).map(([name, column]) => [name, column.view()])
  return Object.fromEntries(entries) as Views<Names>
}
