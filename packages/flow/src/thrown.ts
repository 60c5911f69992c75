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

/** The name of an error's class, else the type of what was thrown. It never throws. */
export function nameOf(thrown: unknown): string {
  try {
    const name: unknown = thrown instanceof Error ? thrown.name : typeof thrown
    return typeof name === 'string' ? name : typeof thrown
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
