import type { Codec } from './codec.ts'

/** UTF-8. Null is a null key, or a tombstone as a value. */
export const text: Codec<string | null> = Object.freeze({
  name: 'text',
  encode(value: string | null) {
    if (value === null) return null
    if (typeof value !== 'string') throw new TypeError(`expected a string, got ${typeof value}`)
    return Buffer.from(value)
  },
  decode(bytes: Buffer | null) {
    return bytes === null ? null : bytes.toString()
  },
})
