import { BufferOverflowError } from '../../errors.ts'
import { Channel } from '../channel.ts'
import { requireArgument, warnOfBrokenRule } from './demand.ts'
import type { Publisher, Subscriber, Subscription } from './types.ts'

/** Requested at a time, and so held at most. */
const PREFETCH = 16
const REFILL_AT = PREFETCH / 4

export function isPublisher(value: unknown): value is Publisher<unknown> {
  return typeof (value as Partial<Publisher<unknown>> | null | undefined)?.subscribe === 'function'
}

/** Subscribes at the first pull and requests in small portions as elements are taken. */
export function publisherSource<T>(publisher: Publisher<T>): AsyncIterator<T, undefined> {
  let subscription: Subscription | undefined
  let hasSubscribed = false
  let requested = 0

  const pull = (): void => {
    if (!hasSubscribed) {
      hasSubscribed = true
      subscribe()
    }
    if (!subscription || out.isOver || requested + out.length > REFILL_AT) return
    const count = PREFETCH - requested - out.length
    requested += count
    try {
      subscription.request(count)
    } catch (error) {
      // A subscription that throws (rule 3.16 forbids it) gives no more.
      out.fail(error)
      cancel()
    }
  }
  const subscribe = (): void => {
    try {
      publisher.subscribe(subscriber)
    } catch (error) {
      out.fail(error)
    }
  }
  const cancel = (): void => {
    const open = subscription
    subscription = undefined
    try {
      open?.cancel()
    } catch (error) {
      warnOfBrokenRule('3.15', error)
    }
  }

  const subscriber: Subscriber<T> = {
    onSubscribe(given) {
      requireArgument('subscription', given)
      // A second one, or one that comes when nobody wants it any more (rules 2.5 and 2.6).
      if (subscription || out.isOver) return given.cancel()
      subscription = given
      pull()
    },
    onNext(value) {
      requireArgument('value', value)
      if (out.isOver) return
      if (requested === 0) {
        out.fail(new BufferOverflowError(PREFETCH))
        return cancel()
      }
      requested--
      out.push(value)
    },
    onError(error) {
      requireArgument('error', error)
      subscription = undefined
      out.fail(error)
    },
    onComplete() {
      subscription = undefined
      out.end()
    },
  }
  const out = new Channel<T>({ onPull: pull, onCancel: cancel })
  return out
}
