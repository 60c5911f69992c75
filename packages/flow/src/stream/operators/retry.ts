import type { IBackoff, IBackoffFactory } from 'cockatiel'
import type { Clock, Timer } from '../../clock.ts'
import { Channel } from '../channel.ts'
import { Puller } from '../puller.ts'

/** When a flow that failed starts again. */
export interface RetryOptions {
  /** How often it starts again at most. From 0; Infinity: always. Default 3. */
  readonly retries?: number
  /** The wait before each new start: milliseconds from 0, or a back-off of cockatiel. Default 0. */
  readonly delayMs?: number | IBackoffFactory<unknown>
  /** Which failures are worth it. Default: all. */
  readonly isRetryable?: (error: unknown) => boolean
}

/** Opens the source anew when it fails. What it gave before the failure was given, and may be given again. */
export function retry<T>(
  open: () => AsyncIterator<T, unknown>,
  { retries = 3, delayMs = 0, isRetryable = () => true, clock }: RetryOptions & { readonly clock: Clock },
): AsyncIterator<T, undefined> {
  let left = retries
  let timer: Timer | undefined
  let backoff: IBackoff<unknown> | undefined
  let puller: Puller<T> | undefined

  const nextDelayMs = (): number => {
    if (typeof delayMs === 'number') return delayMs
    backoff = (backoff ?? delayMs).next(undefined)
    return backoff.duration
  }
  const start = (): void => {
    try {
      puller = new Puller<T>(open(), {
        onValue: (value) => {
          out.push(value)
          pull()
        },
        onEnd: () => out.end(),
        onError: restart,
      })
    } catch (error) {
      restart(error)
    }
  }
  const restart = (error: unknown): void => {
    try {
      if (left-- <= 0 || !isRetryable(error)) return out.fail(error)
      timer = clock.setTimeout(() => {
        timer = undefined
        start()
        pull()
      }, nextDelayMs())
    } catch (thrown) {
      out.fail(thrown)
    }
  }
  const pull = (): void => {
    if (out.demand > 0 && timer === undefined) puller?.pull()
  }

  const out = new Channel<T>({
    onPull: pull,
    onCancel: () => {
      timer?.cancel()
      return puller?.cancel()
    },
  })
  start()
  return out
}
