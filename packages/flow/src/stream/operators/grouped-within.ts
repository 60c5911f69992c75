import type { Clock, Timer } from '../../clock.ts'
import { Channel } from '../channel.ts'
import { Puller } from '../puller.ts'

export interface GroupedWithinOptions {
  readonly size: number
  readonly withinMs: number
  readonly clock: Clock
}

/** Groups of `size`, or of what has come `withinMs` after a group's first element. One full group at most waits. */
export function groupedWithin<T>(
  source: AsyncIterator<T, unknown>,
  { size, withinMs, clock }: GroupedWithinOptions,
): AsyncIterator<readonly T[], undefined> {
  let group: T[] = []
  let timer: Timer | undefined
  let isDue = false

  const emit = (): void => {
    timer?.cancel()
    timer = undefined
    isDue = false
    if (group.length > 0) out.push(group)
    group = []
  }
  const advance = (): void => {
    if (out.isOver) return
    if (group.length >= size || (isDue && out.demand > 0)) emit()
    // A full group may wait and the next one fill up, no more.
    if (out.length === 0 || group.length < size - 1) puller.pull()
  }
  const add = (value: T): void => {
    group.push(value)
    if (group.length > 1) return
    timer = clock.setTimeout(() => {
      timer = undefined
      isDue = true
      advance()
    }, withinMs)
  }

  const puller = new Puller<T>(source, {
    onValue: (value) => {
      add(value)
      advance()
    },
    onEnd: () => {
      emit()
      out.end()
    },
    onError: (error) => {
      emit()
      out.fail(error)
    },
  })
  const out = new Channel<readonly T[]>({
    onPull: advance,
    onCancel: () => {
      timer?.cancel()
      return puller.cancel()
    },
  })
  return out
}
