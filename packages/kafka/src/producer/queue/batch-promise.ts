import type { Delivery } from '../../record/record.ts'
import type { PendingRecord } from '../../outgoing/pending-record.ts'

export interface WrittenBatch {
  readonly topic: string
  readonly partition: number
  /** -1: the broker did not say. */
  readonly baseOffset: number
  /** -1 unless the topic stamps records on append. */
  readonly logAppendTimeMs: number
}

/** What the promises of a batch are told: where it was written, or, once it came apart, which promise to follow. */
type Told =
  | { readonly records: readonly PendingRecord[]; readonly written: WrittenBatch }
  | { readonly own: readonly Promise<Delivery>[] }

type Pick = (told: Told) => Delivery | Promise<Delivery>

/** By place in the batch; shared by all batches, so that a record costs no function of its own. */
const picks: Pick[] = []

function pickAt(index: number): Pick {
  return (picks[index] ??= (told) => ('own' in told ? told.own[index]! : deliveryOf(told, index)))
}

function deliveryOf({ records, written }: Extract<Told, { written: WrittenBatch }>, index: number): Delivery {
  const { topic, partition, baseOffset, logAppendTimeMs } = written
  const offset = baseOffset < 0 ? -1 : baseOffset + index
  const timestampMs = logAppendTimeMs < 0 ? records[index]!.timestampMs : logAppendTimeMs
  return { topic, partition, offset, timestampMs }
}

/**
 * The promises of a batch's records, derived from one. A pending record then retains a promise and nothing else, where
 * resolving functions of its own would be four times as much: with many records in flight that is what the garbage
 * collector lives on.
 */
export class BatchPromise {
  #shared: PromiseWithResolvers<Told> | undefined
  /** Records that had a promise before they came here, or got one when the batch came apart. */
  #withOwn = 0
  #isApart = false

  /** The promise of the record that stands at `index` until the batch is settled or comes apart. */
  add(record: PendingRecord, index: number): Promise<Delivery> {
    if (record.own || this.#isApart) {
      this.#withOwn++
      return record.ownPromise()
    }
    this.#shared ??= Promise.withResolvers<Told>()
    return this.#shared.promise.then(pickAt(index))
  }

  deliver(records: readonly PendingRecord[], written: WrittenBatch): void {
    if (!this.#isApart) this.#shared?.resolve({ records, written })
    if (this.#withOwn === 0) return
    for (const [index, record] of records.entries()) record.own?.resolve(deliveryOf({ records, written }, index))
  }

  fail(records: readonly PendingRecord[], error: Error): void {
    if (!this.#isApart) this.#shared?.reject(error)
    if (this.#withOwn > 0) for (const record of records) record.own?.reject(error)
  }

  /** From now on each record is settled by itself, wherever it goes. To be called before any of them moves. */
  comeApart(records: readonly PendingRecord[]): void {
    if (this.#isApart) return
    this.#isApart = true
    this.#withOwn = records.length
    this.#shared?.resolve({ own: records.map((record) => record.ownPromise()) })
  }
}
