import { Ring } from '../../ring.ts'
import { Channel } from '../channel.ts'
import { cancelAll, leaveClosing, Puller } from '../puller.ts'
import type { PullerHandlers } from '../puller.ts'
import { buffer } from './buffer.ts'

export interface FlatMapOptions<T, R> {
  /** Opens the inner source of an element. */
  readonly open: (value: T) => AsyncIterator<R, unknown>
  /** Inner sources open at a time. */
  readonly concurrency: number
}

/**
 * Elements of up to `concurrency` inner sources as they come. Of each inner source one element at most is under way,
 * and no more than `concurrency` altogether wait to be taken.
 */
export function flatMap<T, R>(
  source: AsyncIterator<T, unknown>,
  { open, concurrency }: FlatMapOptions<T, R>,
): AsyncIterator<R, undefined> {
  const inners = new Set<Puller<R>>()
  /** Inner sources that may go on when there is room. */
  const parked = new Ring<Puller<R>>()
  let pulling = 0

  const leave = (): Promise<void> => {
    const pullers = [...inners, outer]
    inners.clear()
    return cancelAll(pullers)
  }
  const fail = (error: unknown): void => {
    out.fail(error)
    leaveClosing(leave())
  }
  const advance = (): void => {
    if (out.isOver) return
    while (parked.length > 0 && out.length + pulling < concurrency) {
      pulling++
      parked.shift()?.pull()
    }
    if (inners.size < concurrency) outer.pull()
    if (outer.isOver && inners.size === 0) out.end()
  }
  const start = (value: T): void => {
    const inner: Puller<R> = new Puller<R>(open(value), {
      onValue: (value) => {
        pulling--
        out.push(value)
        parked.push(inner)
        advance()
      },
      onEnd: () => {
        pulling--
        inners.delete(inner)
        advance()
      },
      onError: fail,
    })
    inners.add(inner)
    parked.push(inner)
  }

  const outer = new Puller<T>(source, {
    onValue: (value) => {
      try {
        start(value)
      } catch (error) {
        return fail(error)
      }
      advance()
    },
    onEnd: advance,
    onError: fail,
  })
  const out = new Channel<R>({ onPull: advance, onCancel: leave })
  return out
}

/** As `flatMap`, but in the order of the outer elements: later inner sources are read ahead by up to `prefetch`. */
export function flatMapSequential<T, R>(
  source: AsyncIterator<T, unknown>,
  { open, concurrency, prefetch }: FlatMapOptions<T, R> & { readonly prefetch: number },
): AsyncIterator<R, undefined> {
  const inners = new Ring<Puller<R>>()
  let hasFailed = false

  const leave = (): Promise<void> => {
    const pullers = [...inners, outer]
    inners.clear()
    return cancelAll(pullers)
  }
  const fail = (error: unknown): void => {
    out.fail(error)
    leaveClosing(leave())
  }
  const advance = (): void => {
    if (out.isOver) return
    if (out.demand > 0) inners.peek()?.pull()
    if (inners.length < concurrency && !hasFailed) outer.pull()
    if (outer.isOver && inners.length === 0) out.end()
  }
  const handlers: PullerHandlers<R> = {
    onValue: (value) => {
      out.push(value)
      advance()
    },
    onEnd: () => {
      inners.shift()
      advance()
    },
    onError: fail,
  }
  /** Fails at its place: after everything of the elements before it. */
  const failLater = (reason: unknown): void => {
    hasFailed = true
    inners.push(new Puller<R>({ next: () => Promise.reject(reason) }, handlers))
    advance()
  }

  const outer = new Puller<T>(source, {
    onValue: (value) => {
      try {
        const ahead = buffer(open(value), { size: prefetch, overflow: 'backpressure', isEager: true })
        inners.push(new Puller<R>(ahead, handlers))
      } catch (error) {
        return failLater(error)
      }
      advance()
    },
    onEnd: advance,
    onError: failLater,
  })
  const out = new Channel<R>({ onPull: advance, onCancel: leave })
  return out
}
