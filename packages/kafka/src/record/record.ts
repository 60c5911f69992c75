import type { Priority } from '@sluice/flow'
import type { Codec, Encoder } from '../codecs/codec.ts'

/** Headers as a user writes them; text is UTF-8. An array of pairs allows the same name twice. */
export type HeadersInput = Readonly<Record<string, HeaderInput>> | ReadonlyArray<readonly [string, HeaderInput]>
/** The value of a header: a text is written as UTF-8. */
export type HeaderInput = string | Uint8Array | null

/** Headers as they are on the wire: names and values as bytes, in order, names may repeat. */
export type WireHeaders = ReadonlyArray<readonly [name: Buffer, value: Buffer | null]>

/** A record as the batch codec writes and reads it. */
export interface WireRecord {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: WireHeaders | undefined
  /** Milliseconds since the epoch. */
  readonly timestampMs: number
}

/**
 * A topic as a value: its name and the codecs of its keys and values. Everything else is inferred from it. `K` and `V` are
 * what is sent, `KOut` and `VOut` what is read.
 */
export interface Topic<K, V, KOut = K, VOut = V, Name extends string = string> {
  readonly name: Name
  readonly key: Codec<K, KOut>
  readonly value: Codec<V, VOut>
}

/** A topic as far as it is written to. */
export interface TargetTopic<K, V> {
  readonly name: string
  readonly key: Encoder<K>
  readonly value: Encoder<V>
}

/** A record as a user sends it. */
export interface OutgoingRecord<K, V> {
  readonly key?: K
  readonly value: V
  readonly headers?: HeadersInput
  /** Partition to write to. Default: by key as Java's client does (murmur2), sticky without a key. */
  readonly partition?: number
  /** Milliseconds since the epoch. Default: now. */
  readonly timestampMs?: number
  /**
   * Who has to give way once the queue is full, and only then: high evicts, medium waits a moment, low is refused.
   * Default medium.
   */
  readonly priority?: Priority
  /** Goes along as the header `idempotency-key`, by which a consumer's store knows a repetition. */
  readonly idempotencyKey?: string
}

/** Where an acknowledged record is. */
export interface Delivery {
  readonly topic: string
  readonly partition: number
  /** -1 where the broker does not say (acks 0). */
  readonly offset: number
  readonly timestampMs: number
}
