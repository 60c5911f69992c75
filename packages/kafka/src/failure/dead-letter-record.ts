import type { Compression } from '../batch/batch.ts'
import type { HeadersInput } from '../record/record.ts'

/** A record that goes to the dead letter topic of its topic, or to its retry topic. */
export interface DeadLetterRecord {
  /** The topic that it was for. */
  readonly topic: string
  /** Where it was; the dead letter goes to the partition of the same number. -1: by its key. */
  readonly partition: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: HeadersInput
  readonly timestampMs?: number
  /** Of the batch that it was read in: what fitted into its topic that way need not fit in another. Default lz4. */
  readonly compression?: Compression
}
