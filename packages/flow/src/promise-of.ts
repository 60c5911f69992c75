import { types } from 'node:util'

/** As anybody's code may have it. */
interface Thenable<T> {
  readonly then?: (resolve: (value: T | PromiseLike<T>) => void, reject: (error: unknown) => void) => unknown
}

/** Of a plain promise, to recognise one that has a `then` of its own. */
const nativeThen = (Promise.prototype as Thenable<unknown>).then

/**
 * The promise that a callback has returned, or undefined where it returned none. A plain promise is returned as it is:
 * it costs nothing more. Any other thenable is somebody else's code: its `then` may throw, call back several times, or
 * be a getter that throws. It is called once, here, and the promise returned settles once, whatever it does.
 */
export function promiseOf<T>(returned: T | PromiseLike<T>): Promise<T> | undefined {
  if (returned === null || (typeof returned !== 'object' && typeof returned !== 'function')) return undefined
  try {
    const { then } = returned as Thenable<T>
    if (typeof then !== 'function') return undefined
    if (then === nativeThen && isPlain(returned)) return returned
    return new Promise<T>((resolve, reject) => void then.call(returned, resolve, reject))
  } catch (error) {
    return Promise.reject(error)
  }
}

/** Not a proxy of a promise, and not of a class that makes other promises of it. */
function isPlain<T>(value: T | PromiseLike<T>): value is Promise<T> {
  return types.isPromise(value) && value.constructor === Promise
}
