/** Turns values into bytes. */
export interface Encoder<In> {
  /** For error messages: `json`, `text`, `bytes`. */
  readonly name: string
  /** `null` is Kafka's null key, or a tombstone as a value. @throws any error; it becomes the cause of an `EncodeError` */
  encode(value: In): Buffer | null
}

/** Turns bytes into values. */
export interface Decoder<Out> {
  readonly name: string
  /** The bytes may be a view into a larger buffer: copy what is kept. @throws any error, as `encode` */
  decode(bytes: Buffer | null): Out
}

/**
 * Both ways. `In` is what is sent, `Out` is what is read; they differ where a schema transforms, such as a text that is
 * read as a Date.
 */
export interface Codec<In, Out = In> extends Encoder<In>, Decoder<Out> {
  readonly name: string
}
