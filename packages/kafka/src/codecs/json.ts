import { ConfigError } from '@sluice/flow'
import { promiseOf } from '@sluice/flow/internal'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Codec } from './codec.ts'

/**
 * JSON in UTF-8. With a schema (any Standard Schema: zod, valibot, arktype ...) both what is written and what is read
 * is checked. What is sent is the schema's input, and written as it is; what is read is the schema's output: where it
 * transforms a text into a Date, the text is sent and the Date is read. Refuses what JSON cannot represent: a cyclic
 * object, a BigInt, undefined. A schema has to answer at once. Refuses a tombstone (no bytes at all): wrap the codec in
 * `nullable` for a topic that has them.
 */
export function json<T = unknown>(): Codec<T>
export function json<S extends StandardSchemaV1>(
  schema: S,
): Codec<StandardSchemaV1.InferInput<S>, StandardSchemaV1.InferOutput<S>>
export function json(schema?: StandardSchemaV1): Codec<unknown> {
  if (schema !== undefined) requireSchema(schema)
  return Object.freeze({
    name: 'json',
    encode(value: unknown) {
      if (schema) check(schema, value)
      const written = JSON.stringify(value) as string | undefined
      if (written === undefined) throw new TypeError(`${typeof value} cannot be represented in JSON`)
      return Buffer.from(written)
    },
    decode(bytes: Buffer | null) {
      if (bytes === null) throw new TypeError('there are no bytes (a tombstone)')
      const value: unknown = JSON.parse(bytes.toString())
      return schema ? check(schema, value) : value
    },
  })
}

/** Lets a codec take null: as a null key, or a tombstone as a value. */
export function nullable<In, Out>(codec: Codec<In, Out>): Codec<In | null, Out | null> {
  return Object.freeze({
    name: codec.name,
    encode: (value: In | null) => (value === null ? null : codec.encode(value)),
    decode: (bytes: Buffer | null) => (bytes === null ? null : codec.decode(bytes)),
  })
}

function requireSchema(schema: StandardSchemaV1 | null): void {
  if (typeof schema?.['~standard']?.validate === 'function') return
  throw new ConfigError('schema', schema, 'a Standard Schema, such as one of zod, valibot or ArkType')
}

function check(schema: StandardSchemaV1, value: unknown): unknown {
  const result = schema['~standard'].validate(value)
  const promise = promiseOf<unknown>(result)
  if (promise) {
    // Nobody waits for it: that it rejects must not be an unhandled rejection.
    promise.catch(() => {})
    throw new TypeError('the schema answers with a promise; it has to answer at once')
  }
  const { issues, value: made } = result as { issues?: readonly StandardSchemaV1.Issue[]; value?: unknown }
  if (!issues) return made
  throw new SchemaError(issues)
}

/** What a schema has against a value. */
export class SchemaError extends TypeError {
  /** What the schema objects to, each with the path to it. */
  readonly issues: readonly StandardSchemaV1.Issue[]

  constructor(issues: readonly StandardSchemaV1.Issue[]) {
    super(issues.map(describe).join('; '))
    this.name = 'SchemaError'
    this.issues = issues
  }
}

function describe({ path, message }: StandardSchemaV1.Issue): string {
  if (!path || path.length === 0) return message
  const keys = path.map((segment) => String(typeof segment === 'object' ? segment.key : segment))
  return `${keys.join('.')}: ${message}`
}
