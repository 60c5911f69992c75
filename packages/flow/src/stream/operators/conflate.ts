import { Channel } from '../channel.ts'
import { Puller, leaveClosing } from '../puller.ts'

export interface BatchOptions<T, A> {
  /** Elements in an aggregate at most; Infinity never holds the source back. */
  readonly max: number
  readonly seed: (value: T) => A
  readonly aggregate: (aggregate: A, value: T) => A
}

/** While the consumer is slower than the source, elements become one aggregate, given as soon as it asks. */
export function batch<T, A>(
  source: AsyncIterator<T, unknown>,
  { max, seed, aggregate }: BatchOptions<T, A>,
): AsyncIterator<A, undefined> {
  let held: { value: A; count: number } | undefined

  const add = (value: T): void => {
    if (held) {
      held.value = aggregate(held.value, value)
      held.count++
    } else held = { value: seed(value), count: 1 }
  }
  const advance = (): void => {
    if (held && out.demand > 0) {
      const { value } = held
      held = undefined
      out.push(value)
    }
    if (!held || held.count < max) puller.pull()
  }
  /** What is held still goes out, in order, before the end or the failure. */
  const flush = (): void => {
    if (held) out.push(held.value)
    held = undefined
  }

  const puller = new Puller<T>(source, {
    onValue: (value) => {
      try {
        add(value)
      } catch (error) {
        out.fail(error)
        return leaveClosing(puller.cancel())
      }
      advance()
    },
    onEnd: () => {
      flush()
      out.end()
    },
    onError: (error) => {
      flush()
      out.fail(error)
    },
  })
  const out = new Channel<A>({ onPull: advance, onCancel: () => puller.cancel() })
  return out
}
