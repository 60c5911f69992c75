import { Ring } from '../../ring.ts'
import { Channel } from '../channel.ts'
import { cancelAll, leaveClosing, Puller } from '../puller.ts'

/** Pairs of the elements of two sources. Ends with the first of them that ends, and leaves the other. */
export function zip<A, B>(
  left: AsyncIterator<A, unknown>,
  right: AsyncIterator<B, unknown>,
): AsyncIterator<readonly [A, B], undefined> {
  const lefts = new Ring<A>()
  const rights = new Ring<B>()

  const leave = (): Promise<void> => cancelAll([leftPuller, rightPuller])
  const advance = (): void => {
    if (out.isOver) return
    if (lefts.length > 0 && rights.length > 0) out.push([lefts.shift() as A, rights.shift() as B])
    // One that has ended leaves no pair to come, unless its last element still waits for its partner.
    const isOver = (leftPuller.isOver && lefts.length === 0) || (rightPuller.isOver && rights.length === 0)
    if (isOver) return end()
    if (out.demand === 0) return
    if (lefts.length === 0) leftPuller.pull()
    if (rights.length === 0) rightPuller.pull()
  }
  const end = (): void => {
    out.end()
    leaveClosing(leave())
  }
  const fail = (error: unknown): void => {
    out.fail(error)
    leaveClosing(leave())
  }
  const pullerInto = <T>(source: AsyncIterator<T, unknown>, held: Ring<T>): Puller<T> =>
    new Puller<T>(source, {
      onValue: (value) => {
        held.push(value)
        advance()
      },
      onEnd: advance,
      onError: fail,
    })

  const leftPuller = pullerInto(left, lefts)
  const rightPuller = pullerInto(right, rights)
  const out = new Channel<readonly [A, B]>({ onPull: advance, onCancel: leave })
  return out
}
