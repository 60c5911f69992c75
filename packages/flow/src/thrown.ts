/**
 * What was thrown, as text: an error's message, else the value itself. It never throws, whatever the value is: a handler,
 * a listener, a schema or an iterator may throw an object without a prototype, one whose `toString` throws, or a proxy.
 */
export function messageOf(thrown: unknown): string {
  try {
    const text: unknown = thrown instanceof Error ? thrown.message : thrown
    return typeof text === 'string' ? text : String(text)
  } catch {
    return `a thrown ${typeof thrown} that cannot be shown`
  }
}

/**
 * The name of an error, else of its class where it has none of its own (`class CardRefused extends Error {}`), else the
 * type of what was thrown. It never throws.
 */
export function nameOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return typeof thrown
    const name: unknown = thrown.name === 'Error' ? thrown.constructor.name : thrown.name
    return typeof name === 'string' && name !== '' ? name : 'Error'
  } catch {
    return typeof thrown
  }
}

/** With the stack of an error, for a warning that nobody catches. It never throws. */
export function stackOf(thrown: unknown): string {
  try {
    const stack: unknown = thrown instanceof Error ? thrown.stack : undefined
    return typeof stack === 'string' ? stack : messageOf(thrown)
  } catch {
    return messageOf(thrown)
  }
}
