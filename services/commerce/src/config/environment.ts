import { ConfigError } from '@sluice/flow'

export type Variables = Readonly<Record<string, string | undefined>>

interface IntegerRange {
  readonly min: number
  readonly max: number
  readonly default: number
}

/**
 * Reads settings out of environment variables, each with its range and default. An empty variable counts as not set.
 * Every method throws `ConfigError` that names the variable, its value and what is allowed.
 */
export class Environment {
  readonly #variables: Variables

  constructor(variables: Variables) {
    this.#variables = variables
  }

  has(name: string): boolean {
    return this.optional(name) !== undefined
  }

  optional(name: string): string | undefined {
    const value = this.#variables[name]?.trim()
    return value === '' ? undefined : value
  }

  /** A password as it stands: a blank at its edge is part of it. */
  secret(name: string): string {
    return this.#variables[name] ?? ''
  }

  startingWith(prefix: string): Variables {
    return Object.fromEntries(Object.entries(this.#variables).filter(([name]) => name.startsWith(prefix)))
  }

  text(name: string, fallback: string | undefined): string {
    const value = this.optional(name) ?? fallback
    if (value === undefined) throw new ConfigError(name, value, 'set: the profile prod has no default for it')
    return value
  }

  oneOf<const T extends string>(name: string, allowed: readonly T[], fallback: T): T {
    const value = this.optional(name) ?? fallback
    const found = allowed.find((one) => one === value)
    if (found === undefined) throw new ConfigError(name, value, `one of ${allowed.join(', ')}`)
    return found
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.optional(name)?.toLowerCase()
    if (value === undefined) return fallback
    if (value === 'true' || value === '1') return true
    if (value === 'false' || value === '0') return false
    throw new ConfigError(name, value, 'true or false')
  }

  integer(name: string, range: IntegerRange): number {
    return this.optionalInteger(name, range) ?? range.default
  }

  optionalInteger(name: string, { min, max }: Omit<IntegerRange, 'default'>): number | undefined {
    const text = this.optional(name)
    if (text === undefined) return undefined
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= min && value <= max)) throw new ConfigError(name, text, `an integer from ${min} to ${max}`)
    return value
  }

  /** A number between 0 and 1, both allowed. */
  ratio(name: string, fallback: number): number {
    const text = this.optional(name)
    if (text === undefined) return fallback
    const value = Number(text)
    if (!(value >= 0 && value <= 1)) throw new ConfigError(name, text, 'a number from 0 to 1')
    return value
  }

  url(name: string, protocols: readonly string[]): string | undefined {
    const text = this.optional(name)
    if (text === undefined) return undefined
    const allowed = `a URL that begins with ${protocols.map((one) => `${one}//`).join(' or ')}`
    if (!URL.canParse(text) || !protocols.some((one) => text.toLowerCase().startsWith(`${one}//`))) {
      // Only of a URL it can be told where the password stands.
      throw text.includes('://')
        ? new ConfigError(name, withoutPassword(text), allowed)
        : ConfigError.hidden(name, allowed)
    }
    return text
  }

  /** A comma-separated list of `host:port`. */
  addresses(name: string, fallback: readonly string[] | undefined): readonly string[] {
    const text = this.text(name, fallback?.join(','))
    const addresses = text.split(',').map((one) => one.trim())
    for (const address of addresses) {
      const port = /^[^\s:/]+:(\d+)$/.exec(address)?.[1] ?? /^\[[0-9a-fA-F:]+\]:(\d+)$/.exec(address)?.[1]
      if (port === undefined || Number(port) < 1 || Number(port) > 65_535) {
        const allowed = 'host:port, with a port from 1 to 65535, comma-separated'
        throw address.includes('@') ? ConfigError.hidden(name, allowed) : new ConfigError(name, address, allowed)
      }
    }
    return addresses
  }
}

/**
 * Errors are printed and logged: a password in a mistyped URL must not be. The text need not be a URL that can be parsed:
 * all up to the last @ is taken for the login.
 */
function withoutPassword(text: string): string {
  return text.replace(/(:\/\/[^:/]*):.*@/s, '$1:***@').replace(/([?&]password=)[^&#]*/gi, '$1***')
}
