import { BufferOverflowError } from '../../errors.ts'
import { Channel } from '../channel.ts'
import { Puller, leaveClosing } from '../puller.ts'

/**
 * What a full buffer does. backpressure: asks for no more. The others go on taking from the source as it comes:
 * drop-oldest makes room, drop-newest leaves out what arrives, drop-buffer empties itself, fail ends in an error.
 */
export type Overflow = 'backpressure' | 'drop-oldest' | 'drop-newest' | 'drop-buffer' | 'fail'

export const overflows: readonly Overflow[] = ['backpressure', 'drop-oldest', 'drop-newest', 'drop-buffer', 'fail']

export interface BufferOptions<T> {
  readonly size: number
  readonly overflow: Overflow
  /** Told of each element that was dropped. */
  readonly onDrop?: ((value: T) => void) | undefined
  /** Under back-pressure: how empty it must be before it asks for more. Default: one place free. */
  readonly refillAt?: number
  /** Starts before it is asked. */
  readonly isEager?: boolean
}

/** Up to `size` elements between a source and a consumer of different speed. A failure comes after what is held. */
export function buffer<T>(source: AsyncIterator<T, unknown>, options: BufferOptions<T>): AsyncIterator<T, undefined> {
  const { size, overflow, onDrop, refillAt = size - 1, isEager = false } = options
  let isFilling = true

  const pull = (): void => {
    if (out.isOver) return
    if (overflow !== 'backpressure') return puller.pull()
    if (out.length <= refillAt) isFilling = true
    if (out.length >= size && out.demand === 0) isFilling = false
    if (isFilling) puller.pull()
  }
  const drop = (value: T | undefined): void => onDrop?.(value as T)
  const makeRoom = (value: T): boolean => {
    if (overflow === 'drop-oldest') drop(out.dropOldest())
    else if (overflow === 'drop-buffer') while (out.length > 0) drop(out.dropOldest())
    else if (overflow === 'drop-newest') drop(value)
    else {
      out.fail(new BufferOverflowError(size))
      leaveClosing(puller.cancel())
    }
    return overflow === 'drop-oldest' || overflow === 'drop-buffer'
  }

  const puller = new Puller<T>(source, {
    onValue: (value) => {
      const hasRoom = out.demand > 0 || out.length < size || makeRoom(value)
      if (hasRoom) out.push(value)
      pull()
    },
    onEnd: () => out.end(),
    onError: (error) => out.fail(error),
  })
  const out = new Channel<T>({ onPull: pull, onCancel: () => puller.cancel() })
  if (isEager) pull()
  return out
}
