import { createHash } from 'node:crypto'
import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plusFromState } from 'pure-rand/generator/xoroshiro128plus'

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Random numbers that a name decides: the same parts give the same numbers, other parts give unrelated ones. */
export class Random {
  readonly #generator: ReturnType<typeof xoroshiro128plusFromState>

  constructor(...parts: readonly (string | number)[]) {
    const digest = createHash('sha256').update(JSON.stringify(parts)).digest()
    this.#generator = xoroshiro128plusFromState([0, 4, 8, 12].map((at) => digest.readInt32LE(at)))
  }

  /** From `min` to `max`, both included. */
  integer(min: number, max: number): number {
    return uniformInt(this.#generator, min, max)
  }

  chance(probability: number): boolean {
    return this.integer(0, 999_999) < probability * 1_000_000
  }

  pick<T>(values: readonly T[]): T {
    return values[this.integer(0, values.length - 1)]!
  }

  /** A random UUID (RFC 9562, version 4) out of this generator instead of the machine's. */
  uuid(): string {
    const bytes = [0, 0, 0, 0].flatMap(() => {
      const word = this.integer(0, 0xffff_ffff)
      return [word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff]
    })
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const hex = bytes.map((byte) => HEX[byte]!).join('')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  }

  /** So many decimal digits, the first one not 0. */
  digits(length: number): string {
    let text = String(this.integer(1, 9))
    while (text.length < length) text += String(this.integer(0, 9))
    return text
  }
}
