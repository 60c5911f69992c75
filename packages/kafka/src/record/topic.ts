import { ConfigError } from '@sluice/flow'
import { bytes } from '../codecs/bytes.ts'
import type { Codec } from '../codecs/codec.ts'
import { text } from '../codecs/text.ts'
import { requireKnownFields } from '../known-fields.ts'
import type { Topic } from './record.ts'

const maxLength = 249
const legal = /^[A-Za-z0-9._-]+$/

/**
 * A topic as a value: say its name and its codecs once, and everything that uses it is typed from there. Without a
 * `key` codec keys are text.
 * @throws ConfigError for a name that Kafka does not allow, and for what is no codec
 */
export function topic<V, VOut, const Name extends string>(
  name: Name,
  codecs: { readonly value: Codec<V, VOut> },
): Topic<string | null, V, string | null, VOut, Name>
export function topic<K, V, KOut, VOut, const Name extends string>(
  name: Name,
  codecs: { readonly key: Codec<K, KOut>; readonly value: Codec<V, VOut> },
): Topic<K, V, KOut, VOut, Name>
export function topic(
  name: string,
  codecs: { readonly key?: Codec<unknown>; readonly value: Codec<unknown> },
): Topic<unknown, unknown> {
  requireTopicName('topic', name)
  const { key = text, value } = requireCodecs(codecs)
  requireKnownFields('', codecs, { key: true, value: true })
  requireCodec('key', key)
  requireCodec('value', value)
  return Object.freeze({ name, key, value })
}

/** A topic whose records are passed on as they are. */
export function rawTopic(name: string) {
  return topic(name, { key: bytes, value: bytes })
}

export type RawTopic = ReturnType<typeof rawTopic>

/** Topics by their names: all that the pattern matches, with the codecs of their keys and values. */
export interface TopicPattern<K, V, KOut = K, VOut = V> {
  /** What names of topics are matched against. */
  readonly pattern: RegExp
  readonly key: Codec<K, KOut>
  readonly value: Codec<V, VOut>
}

/**
 * All topics whose name the pattern matches, as `RegExp.test` does: anywhere in the name unless it says `^` and `$`.
 * Without a `key` codec keys are text. The pattern is the caller's own: one that comes from outside can take for ever.
 * @throws ConfigError for what is no pattern or no codec
 */
export function topicPattern<V, VOut>(
  pattern: RegExp,
  codecs: { readonly value: Codec<V, VOut> },
): TopicPattern<string | null, V, string | null, VOut>
export function topicPattern<K, V, KOut, VOut>(
  pattern: RegExp,
  codecs: { readonly key: Codec<K, KOut>; readonly value: Codec<V, VOut> },
): TopicPattern<K, V, KOut, VOut>
export function topicPattern(
  pattern: RegExp,
  codecs: { readonly key?: Codec<unknown>; readonly value: Codec<unknown> },
): TopicPattern<unknown, unknown> {
  const { key = text, value } = requireCodecs(codecs)
  if (!(pattern instanceof RegExp)) throw new ConfigError('pattern', pattern, 'a RegExp')
  requireKnownFields('', codecs, { key: true, value: true })
  requireCodec('key', key)
  requireCodec('value', value)
  // One that remembers where it was would match every other time.
  const stateless = new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, ''))
  return Object.freeze({ pattern: stateless, key, value })
}

/** The name, if Kafka allows it. @throws ConfigError that names the rule */
export function requireTopicName(field: string, name: unknown): string {
  const allowed = `1 to ${maxLength} of the characters a-z, A-Z, 0-9, '.', '_' and '-', and neither '.' nor '..'`
  const isLegal = typeof name === 'string' && name.length <= maxLength && legal.test(name)
  if (!isLegal || name === '.' || name === '..') throw new ConfigError(field, name, allowed)
  return name
}

function requireCodecs<Codecs>(codecs: Codecs): Codecs {
  if (typeof codecs === 'object' && codecs !== null) return codecs
  throw new ConfigError('codecs', codecs, "an object with the topic's codecs, such as { value: json() }")
}

function requireCodec(field: string, codec: Codec<unknown>): void {
  const allowed = 'a codec, such as text, bytes or json()'
  // A schema of zod has the functions of a codec too, and means something else by them.
  if (isSchema(codec)) {
    throw new ConfigError(field, codec, allowed, `${field} is a schema, which is not a codec: wrap it as json(schema)`)
  }
  if (typeof codec === 'function') {
    throw new ConfigError(
      field,
      codec,
      allowed,
      `${field} is a function, but must be ${allowed}: call it, as in json()`,
    )
  }
  const isCodec = typeof codec?.encode === 'function' && typeof codec.decode === 'function'
  if (!isCodec) throw new ConfigError(field, codec, allowed)
}

function isSchema(value: unknown): boolean {
  const isPossible = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return isPossible && '~standard' in value
}
