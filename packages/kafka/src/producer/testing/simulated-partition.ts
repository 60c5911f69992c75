import { decodeRecords, readBatchHeaders } from '../../batch/decode.ts'
import type { BatchHeader } from '../../batch/decoded.ts'
import { errorCode } from '../../driver/classify.ts'
import type { RecordError } from '../../driver/driver.ts'
import { sequenceAfter } from '../../outgoing/sequence.ts'

/** What a broker knows of one producer in one partition. */
interface ProducerEntry {
  epoch: number
  lastSequence: number
  /** The last five batches, to recognise a repeated one. */
  readonly recent: { readonly baseSequence: number; readonly count: number; readonly baseOffset: number }[]
}

export interface Appended {
  readonly errorCode: number
  readonly recordErrors?: readonly RecordError[]
  readonly baseOffset: number
}

const refusal = (name: string): Appended => ({ errorCode: errorCode(name), baseOffset: -1 })

/** A partition's log with a broker's rules for idempotent producers (`ProducerAppendInfo` and `UnifiedLog` of Kafka 4.3). */
export class SimulatedPartition {
  /** The values of all records, as text, by offset. */
  readonly log: string[] = []
  readonly #producers = new Map<bigint, ProducerEntry>()
  maxBatchBytes = Infinity
  /** Why a record with this value is refused, with its whole batch. */
  refuse: (value: string) => string | undefined = () => undefined
  /** Whether a refusal names the invalid records (KIP-467). */
  namesRecords = true

  append(batch: Buffer): Appended {
    const [header] = readBatchHeaders(batch)
    if (!header) throw new Error('the request holds no batch')
    if (batch.length > this.maxBatchBytes) return refusal('MESSAGE_TOO_LARGE')
    const invalid = this.#invalidIn(batch, header)
    if (invalid.length > 0) return { ...refusal('INVALID_RECORD'), recordErrors: this.namesRecords ? invalid : [] }
    return header.producerId < 0n ? this.#write(batch, header) : this.#appendIdempotent(batch, header)
  }

  /** As when all records of the producer were deleted by retention. */
  forgetProducers(): void {
    this.#producers.clear()
  }

  /** As when an unclean leader election lost the end of the log. */
  truncate(length: number): void {
    this.log.length = length
    for (const entry of this.#producers.values()) {
      entry.lastSequence = 1_000_000
      entry.recent.length = 0
    }
  }

  #appendIdempotent(batch: Buffer, header: BatchHeader): Appended {
    const { producerId, epoch, baseSequence, count } = header
    const entry = this.#producers.get(producerId)
    if (entry && epoch < entry.epoch) return refusal('INVALID_PRODUCER_EPOCH')
    if (entry && epoch > entry.epoch && baseSequence !== 0) return refusal('OUT_OF_ORDER_SEQUENCE_NUMBER')
    if (entry && epoch === entry.epoch) {
      const repeated = entry.recent.find((one) => one.baseSequence === baseSequence && one.count === count)
      if (repeated) return { errorCode: 0, baseOffset: repeated.baseOffset }
      if (baseSequence !== sequenceAfter(entry.lastSequence, 1)) return refusal('OUT_OF_ORDER_SEQUENCE_NUMBER')
    }
    const appended = this.#write(batch, header)
    const recent = entry && entry.epoch === epoch ? entry.recent.slice(-4) : []
    recent.push({ baseSequence, count, baseOffset: appended.baseOffset })
    this.#producers.set(producerId, { epoch, lastSequence: sequenceAfter(baseSequence, count - 1), recent })
    return appended
  }

  #invalidIn(batch: Buffer, header: BatchHeader): RecordError[] {
    return decodeRecords(batch, header).flatMap(({ value }, index) => {
      const message = this.refuse(String(value))
      return message === undefined ? [] : [{ index, message }]
    })
  }

  #write(batch: Buffer, header: BatchHeader): Appended {
    const baseOffset = this.log.length
    for (const { value } of decodeRecords(batch, header)) this.log.push(String(value))
    return { errorCode: 0, baseOffset }
  }
}
