import type { WireHeaders } from '../record.ts'

/** A record as a handler gets it. Bytes are views into the batch they came in: copy what outlives the handler. */
export class ConsumerRecord<K = unknown, V = unknown> {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Milliseconds since the epoch. */
  readonly timestampMs: number
  readonly key: K
  readonly value: V
  readonly #headers: WireHeaders | undefined

  constructor(
    topic: string,
    partition: number,
    offset: number,
    timestampMs: number,
    key: K,
    value: V,
    headers: WireHeaders | undefined,
  ) {
    this.topic = topic
    this.partition = partition
    this.offset = offset
    this.timestampMs = timestampMs
    this.key = key
    this.value = value
    this.#headers = headers
  }

  /** Decoded when first looked at. */
  get headers(): RecordHeaders {
    return this.#headers === undefined ? noHeaders : new RecordHeaders(this.#headers)
  }
}

/** Headers in the order they were written; a name may stand there more than once. */
export class RecordHeaders implements Iterable<readonly [name: string, value: Buffer | null]> {
  readonly #wire: WireHeaders

  constructor(wire: WireHeaders) {
    this.#wire = wire
  }

  get size(): number {
    return this.#wire.length
  }

  /** The last one of this name, which is the one that counts in Kafka, as text. */
  get(name: string): string | undefined {
    return this.getBytes(name)?.toString()
  }

  /** The last one of this name; null where it has no value, undefined where there is none. */
  getBytes(name: string): Buffer | null | undefined {
    for (let index = this.#wire.length - 1; index >= 0; index--) {
      const [wireName, value] = this.#wire[index]!
      if (wireName.toString() === name) return value
    }
    return undefined
  }

  *[Symbol.iterator](): Generator<readonly [name: string, value: Buffer | null], void, undefined> {
    for (const [name, value] of this.#wire) yield [name.toString(), value]
  }

  /** As a plain object of text, the last of each name, for logs. */
  toJSON(): Record<string, string | null> {
    return Object.fromEntries([...this].map(([name, value]) => [name, value === null ? null : value.toString()]))
  }
}

const noHeaders = new RecordHeaders([])
