/** `instanceof` for what user code threw: a proxy can throw when it is asked for its prototype. */
export function isInstance<T>(thrown: unknown, type: abstract new (...args: never[]) => T): thrown is T {
  try {
    return thrown instanceof type
  } catch {
    return false
  }
}
