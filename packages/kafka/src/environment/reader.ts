import { ConfigError } from '@sluice/flow'

/** Variables of an environment, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Reads variables; an error names the variable. */
export class EnvironmentReader {
  readonly #env: Environment

  constructor(env: Environment) {
    this.#env = env
  }

  text(name: string): string | undefined {
    const value = this.#env[name]?.trim()
    return value === '' ? undefined : value
  }

  /** A password as it stands: a blank at its edge is part of it. */
  secret(name: string): string | undefined {
    const value = this.#env[name]
    return value === '' ? undefined : value
  }

  requiredSecret(name: string): string {
    const value = this.secret(name)
    if (value === undefined) throw new ConfigError(name, undefined, 'set')
    return value
  }

  required(name: string): string {
    const value = this.text(name)
    if (value === undefined) throw new ConfigError(name, undefined, 'set')
    return value
  }

  integer(name: string, min: number): number | undefined {
    const value = this.text(name)
    if (value === undefined) return undefined
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
    if (Number.isSafeInteger(number) && number >= min) return number
    throw new ConfigError(name, value, `a whole number of at least ${min}`)
  }

  boolean(name: string): boolean | undefined {
    const value = this.oneOf(name, ['true', 'false'] as const)
    return value === undefined ? undefined : value === 'true'
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.text(name)
    const found = allowed.find((one) => one === value)
    if (value === undefined || found !== undefined) return found
    throw new ConfigError(name, value, `one of ${allowed.join(', ')}`)
  }
}
