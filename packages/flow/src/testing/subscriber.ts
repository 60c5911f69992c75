import { vi } from 'vitest'
import { Flow } from '../index.ts'
import type { Subscriber, Subscription } from '../index.ts'

/** Notes every signal; requests when told to. */
export class Recorder<T> implements Subscriber<T> {
  readonly signals: unknown[] = []
  subscription: Subscription | undefined
  readonly onSubscribed: (subscription: Subscription) => void
  onValue: (value: T) => void = () => {}

  constructor(onSubscribed: (subscription: Subscription) => void = () => {}) {
    this.onSubscribed = onSubscribed
  }

  onSubscribe(subscription: Subscription): void {
    this.signals.push('subscribe')
    this.subscription = subscription
    this.onSubscribed(subscription)
  }

  onNext(value: T): void {
    this.signals.push(value)
    this.onValue(value)
  }

  onError(error: unknown): void {
    this.signals.push(error)
  }

  onComplete(): void {
    this.signals.push('complete')
  }
}

/** An upstream by hand: notes what is requested of it. */
export function upstream() {
  const requests: (number | 'cancel')[] = []
  return { requests, request: (n: number) => void requests.push(n), cancel: () => void requests.push('cancel') }
}

/** A flow of 0, 1, 2 ...; `failAt`: fails in place of that one. */
export function source(
  count: number,
  { failAt, onClose }: { failAt?: number; onClose?: () => void } = {},
): Flow<number> {
  return Flow.from({
    async *[Symbol.asyncIterator]() {
      try {
        for (let n = 0; n < count; n++) {
          if (n === failAt) throw new Error('source')
          yield n
        }
      } finally {
        onClose?.()
      }
    },
  })
}

/** Keeps process warnings from being shown, and gives their texts. */
export function catchWarnings(): readonly string[] {
  const warnings: string[] = []
  vi.spyOn(process, 'emitWarning').mockImplementation((text) => void warnings.push(String(text)))
  return warnings
}

export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
