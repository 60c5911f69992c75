import { ConfigError } from '@sluice/flow'

const advice = "make one with topic('orders', { value: json() })"

/**
 * For what a caller gives as a topic: a name alone has no codecs, and other clients take records and topics in other
 * forms. @throws ConfigError that says how to make one
 */
export function requireTopic<T extends { readonly name: string }>(field: string, given: T): T {
  const { name, value } = (given ?? {}) as { readonly name?: unknown; readonly value?: { readonly encode?: unknown } }
  if (typeof name === 'string' && name.length > 0 && typeof value?.encode === 'function') return given
  const got = typeof given === 'string' ? `the text "${String(given)}"` : `${kindOf(given)} without a name and codecs`
  throw new ConfigError(field, given, 'a topic', `${field} must be a topic, but is ${got}: ${advice}`)
}

function kindOf(value: unknown): string {
  return value === null || value === undefined ? String(value) : `a value of type ${typeof value}`
}
