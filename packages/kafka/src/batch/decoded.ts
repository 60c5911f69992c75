import type { WireHeaders } from '../record/record.ts'
import type { Compression } from './batch.ts'

/** A batch within a buffer, its records not yet looked at. */
export interface BatchHeader {
  /** The message format: 2, or 0 and 1 for a message of before Kafka 0.11, which may be a wrapper around others. */
  readonly magic: number
  /** For a wrapper only a lower bound: it is unknown until the wrapper is opened. */
  readonly baseOffset: number
  /** Of the batch as it was written, though compaction may have taken its last record. */
  readonly lastOffset: number
  readonly leaderEpoch: number
  readonly attributes: number
  readonly compression: Compression
  readonly control: boolean
  readonly transactional: boolean
  /** The broker's own timestamps: every record then bears `maxTimestampMs`. */
  readonly logAppendTime: boolean
  readonly baseTimestampMs: number
  readonly maxTimestampMs: number
  readonly producerId: bigint
  readonly epoch: number
  readonly baseSequence: number
  /** How many records it claims to hold. A wrapper does not say, and counts as 1 until it is opened. */
  readonly count: number
  /** Where the batch lies in its buffer. */
  readonly start: number
  readonly end: number
}

/** A record as read. Its bytes are views into the batch: copy what outlives it. */
export interface DecodedRecord {
  readonly offset: number
  /** Milliseconds since the epoch. */
  readonly timestampMs: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: WireHeaders | undefined
}

export type DecodeLimits = Required<DecodeOptions>

/** The records of one batch, each decoded when it is taken: a batch of a million tiny ones costs no million objects. */
export interface RecordCursor {
  /** Records of the batch. */
  readonly count: number
  /** Those that were not read yet. */
  readonly left: number
  /** What the records take as bytes, decompressed. */
  readonly bytes: number
  /**
   * The next record; there has to be one left. The same object each time, which saves one for every record: copy what
   * has to outlive the next call.
   * @throws HeadersTooLargeError: only that record is lost. CorruptBatchError: nothing more of the batch can be read.
   */
  next(): DecodedRecord
  /** Passes over records that were read before. */
  skip(count: number): void
  /** Nothing more is to be read. */
  end(): void
}

/** What is read of a batch, at most. */
export interface DecodeOptions {
  /** How many bytes a batch may take once decompressed. Default 134,217,728 (128 MiB). */
  readonly maxDecodedBytes?: number
  /** Headers of one record. Default 10,000. */
  readonly maxHeaders?: number
  /** Bytes of the headers of one record. Default 16,777,216 (16 MiB). */
  readonly maxHeaderBytes?: number
}
