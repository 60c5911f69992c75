import { ConfigError } from './errors.ts'

export interface Range {
  readonly min?: number
  readonly max?: number
}

/** The value, if it is a number within the range (both ends included); an Infinity must be allowed by `max`. */
export function requireNumber(field: string, value: unknown, range: Range = {}): number {
  if (typeof value === 'number' && isWithin(value, range)) return value
  throw new ConfigError(field, value, describe('a number', range))
}

/** The value, if it is a whole number within the range (both ends included); Infinity only where it is `max`. */
export function requireInteger(field: string, value: unknown, range: Range = {}): number {
  const isWhole = Number.isSafeInteger(value) || (value === Infinity && range.max === Infinity)
  if (isWhole && isWithin(value as number, range)) return value as number
  throw new ConfigError(field, value, describe('a whole number', range))
}

/** The value, if it is a function. */
export function requireFunction<F extends (...args: never[]) => unknown>(field: string, value: F): F {
  if (typeof value === 'function') return value
  throw new ConfigError(field, value, 'a function')
}

/** The value, if it is one of the allowed ones. */
export function requireOneOf<T extends string>(field: string, value: unknown, allowed: readonly T[]): T {
  if ((allowed as readonly unknown[]).includes(value)) return value as T
  throw new ConfigError(field, value, `one of ${allowed.join(', ')}`)
}

function isWithin(value: number, { min = -Number.MAX_VALUE, max = Number.MAX_VALUE }: Range): boolean {
  return value >= min && value <= max
}

function describe(kind: string, { min, max }: Range): string {
  if (min !== undefined && max !== undefined && max !== Infinity) return `${kind} from ${min} to ${max}`
  if (min !== undefined) return `${kind} of at least ${min}${max === Infinity ? ' or Infinity' : ''}`
  if (max !== undefined && max !== Infinity) return `${kind} of at most ${max}`
  return kind
}
