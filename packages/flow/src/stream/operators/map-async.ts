import { promiseOf } from '../../promise-of.ts'
import { Ring } from '../../ring.ts'
import { Channel } from '../channel.ts'
import { Puller, leaveClosing } from '../puller.ts'

/** Changes an element; the signal is aborted when the flow ends. */
export type AsyncMapper<T, R> = (value: T, signal: AbortSignal) => R | PromiseLike<R>

type Result<R> = { readonly ok: true; readonly value: R } | { readonly ok: false; readonly error: unknown }

/** The place of a result that may not be there yet. */
interface Slot<R> {
  result: Result<R> | undefined
}

/**
 * Calls a function on up to `concurrency` elements at a time. At most so many are inside, finished ones that nobody
 * took included. Ordered: results, and a failure, come out at their place. Unordered: as they come. No work begins
 * once a failure is known.
 */
export function mapAsync<T, R>(
  source: AsyncIterator<T, unknown>,
  mapper: AsyncMapper<T, R>,
  { concurrency, isOrdered }: { readonly concurrency: number; readonly isOrdered: boolean },
): AsyncIterator<R, undefined> {
  const abort = new AbortController()
  const slots = new Ring<Slot<R>>()
  let inFlight = 0
  let hasFailed = false

  const leave = (): Promise<void> => {
    abort.abort()
    return puller.cancel()
  }
  const fail = (error: unknown): void => {
    out.fail(error)
    leaveClosing(leave())
  }
  const deliver = (result: Result<R>): void => {
    if (result.ok) out.push(result.value)
    else fail(result.error)
  }
  const endIfEmpty = (): void => {
    if (puller.isOver && inFlight === 0 && slots.length === 0) out.end()
  }
  const pull = (): void => {
    const inside = out.length + (isOrdered ? slots.length : inFlight)
    if (inside < concurrency && !out.isOver && !hasFailed) puller.pull()
  }
  const flush = (): void => {
    for (let head = slots.peek(); head?.result && !out.isOver; head = slots.peek()) {
      slots.shift()
      deliver(head.result)
    }
  }
  const settle = (slot: Slot<R>, result: Result<R>): void => {
    inFlight--
    slot.result = result
    if (!result.ok) hasFailed = true
    if (isOrdered) flush()
    else deliver(result)
    endIfEmpty()
    pull()
  }
  const call = (value: T, slot: Slot<R>): void => {
    inFlight++
    let mapped: R | PromiseLike<R>
    try {
      mapped = mapper(value, abort.signal)
    } catch (error) {
      return settle(slot, { ok: false, error })
    }
    const promise = promiseOf(mapped)
    if (promise === undefined) return settle(slot, { ok: true, value: mapped as R })
    promise.then(
      (value) => settle(slot, { ok: true, value }),
      (error: unknown) => settle(slot, { ok: false, error }),
    )
  }

  const puller = new Puller<T>(source, {
    onValue: (value) => {
      const slot: Slot<R> = { result: undefined }
      if (isOrdered) slots.push(slot)
      call(value, slot)
      pull()
    },
    onEnd: endIfEmpty,
    onError: (error) => {
      if (!isOrdered) return fail(error)
      slots.push({ result: { ok: false, error } })
      flush()
    },
  })
  const out = new Channel<R>({ onPull: pull, onCancel: leave })
  return out
}
