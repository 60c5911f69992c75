import type { Clock, Timer } from '../../clock.ts'
import { RateLimiter } from '../../rate/token-bucket.ts'
import type { RateLimiterOptions } from '../../rate/token-bucket.ts'
import { Channel } from '../channel.ts'
import { Puller, leaveClosing } from '../puller.ts'

/** No faster than the rate: shaping delays elements, enforcing fails on the first that is too fast. */
export function throttle<T>(
  source: AsyncIterator<T, unknown>,
  options: RateLimiterOptions,
): AsyncIterator<T, undefined> {
  const limiter = new RateLimiter(options)
  let isWaiting = false
  const pull = (): void => {
    if (out.demand > 0 && !isWaiting) puller.pull()
  }
  const pass = (value: T): void => {
    isWaiting = false
    out.push(value)
    pull()
  }
  const fail = (error: unknown): void => {
    // Cancelled meanwhile: the limiter was closed, and nobody waits for what it says.
    if (out.isOver) return
    out.fail(error)
    leaveClosing(puller.cancel())
  }
  const puller = new Puller<T>(source, {
    onValue: (value) => {
      if (limiter.tryAcquire()) return pass(value)
      isWaiting = true
      limiter.acquire().then(() => pass(value), fail)
    },
    onEnd: () => out.end(),
    onError: (error) => out.fail(error),
  })
  const out = new Channel<T>({
    onPull: pull,
    onCancel: () => {
      limiter.close()
      return puller.cancel()
    },
  })
  return out
}

/** Each element so much later than it came; the next one is taken only after that. */
export function delayElements<T>(
  source: AsyncIterator<T, unknown>,
  { delayMs, clock }: { readonly delayMs: number; readonly clock: Clock },
): AsyncIterator<T, undefined> {
  let timer: Timer | undefined
  const pull = (): void => {
    if (out.demand > 0 && timer === undefined) puller.pull()
  }
  const puller = new Puller<T>(source, {
    onValue: (value) => {
      timer = clock.setTimeout(() => {
        timer = undefined
        out.push(value)
        pull()
      }, delayMs)
    },
    onEnd: () => out.end(),
    onError: (error) => out.fail(error),
  })
  const out = new Channel<T>({
    onPull: pull,
    onCancel: () => {
      timer?.cancel()
      return puller.cancel()
    },
  })
  return out
}
