import { DecodeError, topic, topicPattern, type AnySource, type Codec, type ConsumerRecord } from '@sluice/kafka'

/** Stands where a key or a value should, and says why it could not be read. */
class Unreadable {
  readonly codec: string
  readonly cause: unknown

  constructor(codec: string, cause: unknown) {
    this.codec = codec
    this.cause = cause
  }
}

/**
 * The same topics with codecs that do not fail: what cannot be read becomes a dead letter in the transaction of its
 * batch, and not one of the consumer's own.
 */
export function tolerant<T extends AnySource>(source: T): T {
  if (source instanceof RegExp) return source
  const codecs = { key: tolerantCodec(source.key), value: tolerantCodec(source.value) }
  const made = 'pattern' in source ? topicPattern(source.pattern, codecs) : topic(source.name, codecs)
  return made as T
}

/** Why the record is not for the handler; undefined: it is. */
export function decodeError(record: ConsumerRecord): DecodeError | undefined {
  for (const part of ['key', 'value'] as const) {
    const given = record[part]
    if (given instanceof Unreadable) return new DecodeError(record, part, given.codec, given.cause)
  }
  return undefined
}

function tolerantCodec(codec: Codec<unknown>): Codec<unknown> {
  return {
    name: codec.name,
    encode: (value) => codec.encode(value),
    decode: (wire) => {
      try {
        return codec.decode(wire)
      } catch (error) {
        return new Unreadable(codec.name, error)
      }
    },
  }
}
