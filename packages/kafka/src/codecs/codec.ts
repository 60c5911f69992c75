/** Turns values into bytes and back. `null` is Kafka's null key, or a tombstone as a value. */
export interface Codec<T> {
  /** For error messages: `json`, `text`, `bytes`. */
  readonly name: string
  /** @throws any error; the runtime wraps it in an `EncodeError` with the facts. */
  encode(value: T): Buffer | null
  /** The bytes may be a view into a larger buffer: copy what is kept. @throws as `encode`. */
  decode(bytes: Buffer | null): T
}
