import { messageOf } from '../../thrown.ts'
import { ConfigError } from '../../errors.ts'

/** What was requested and not yet given. */
export class Demand {
  #count = 0

  get count(): number {
    return this.#count
  }

  /** Throws where the rule 3.9 wants an error. So much that it cannot be counted is without bound (rule 3.17). */
  add(count: number): void {
    if (!(count >= 1)) throw new ConfigError('count', count, 'at least 1 (Reactive Streams, rule 3.9)')
    const sum = this.#count + count
    this.#count = sum > Number.MAX_SAFE_INTEGER ? Infinity : sum
  }

  /** Takes one, if there is any. */
  take(): boolean {
    if (this.#count < 1) return false
    this.#count--
    return true
  }
}

/** Rules 1.9 and 2.13: what is not there is refused at once, and never given to a subscriber. */
export function requireArgument(name: string, value: unknown): void {
  if (value === null || value === undefined) throw new TypeError(`${name} is ${value}`)
}

/** A subscriber or subscription that throws breaks its own contract; it must not break the other side too. */
export function warnOfBrokenRule(rule: string, error: unknown): void {
  process.emitWarning(`Reactive Streams, rule ${rule} was broken: ${messageOf(error)}`, { code: 'SLUICE_REACTIVE' })
}
