import type { Codec } from './codec.ts'

/** The bytes as they are. What is read is a view: copy what is kept. Null is a null key, or a tombstone as a value. */
export const bytes: Codec<Buffer | null> = Object.freeze({
  name: 'bytes',
  encode(value: Buffer | null) {
    if (value !== null && !Buffer.isBuffer(value)) throw new TypeError(`expected a Buffer, got ${typeof value}`)
    return value
  },
  decode(value: Buffer | null) {
    return value
  },
})
