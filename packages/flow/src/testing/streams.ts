import type { Flow } from '../index.ts'

export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A consumer that takes one element when told to. */
export function puppet<T>(flow: Flow<T>) {
  const iterator = flow[Symbol.asyncIterator]()
  const next = async () => (await iterator.next()).value as T
  return { next, leave: () => iterator.return!() }
}

/** A source that is fed by hand. */
export function byHand<T>() {
  const items: T[] = []
  let wake: (() => void) | undefined
  let isOver = false
  async function* generate() {
    for (;;) {
      while (items.length > 0) yield items.shift() as T
      if (isOver) return
      await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  return {
    source: { [Symbol.asyncIterator]: generate },
    push: async (...more: T[]) => {
      items.push(...more)
      wake?.()
      await settled()
    },
    end: () => {
      isOver = true
      wake?.()
    },
  }
}
