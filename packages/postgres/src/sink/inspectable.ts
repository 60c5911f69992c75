import { messageOf } from '@sluice/flow/internal'

/**
 * What a handler threw, as something that can be looked at: a proxy, or an error with a getter that throws, would throw
 * once more wherever it is asked what it is.
 */
export function inspectable(thrown: unknown): unknown {
  try {
    let one = thrown
    for (let depth = 0; depth < 10 && one instanceof Error; depth++) {
      void [one.message, one.name, Reflect.get(one, 'code'), Reflect.get(one, 'retriable')]
      one = one.cause
    }
    return thrown
  } catch {
    return new Error(messageOf(thrown))
  }
}
