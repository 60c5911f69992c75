import { ConfigError, DroppedError } from '../errors.ts'
import { callListener } from '../listener.ts'
import { requireFunction } from '../require.ts'

/** What somebody waits for until it is handled, such as a record of a consumer: one of the two has to be called. */
export interface Acknowledgeable {
  /** It is done with. */
  ack(): void
  /** It could not be done. */
  fail(error: unknown): void
}

/** What becomes of an element that an operator drops: a listener is told, or what can be acked is acked or failed. */
export type OnDrop<T> = ((value: T) => void) | (T extends Acknowledgeable ? 'ack' | 'fail' : never)

/** Tells of a drop; what that throws is a warning. @throws ConfigError */
export function dropListener<T>(onDrop: OnDrop<T>): (value: T) => void {
  const listener = listenerOf(onDrop)
  return (value) => callListener(listener, value, 'drop')
}

function listenerOf<T>(onDrop: OnDrop<T>): (value: T) => void {
  if (typeof onDrop !== 'string') return requireFunction('onDrop', onDrop)
  if (onDrop === 'ack') return (value) => (value as Acknowledgeable).ack()
  if (onDrop === 'fail') return (value) => (value as Acknowledgeable).fail(new DroppedError())
  throw new ConfigError('onDrop', onDrop, "a function, 'ack' or 'fail'")
}

/** For where nothing was said: what nobody waits for may go silently, all else must not. @throws ConfigError */
export function dropSilently(value: unknown): void {
  const { ack, fail } = (value ?? {}) as Partial<Acknowledgeable>
  if (typeof ack !== 'function' || typeof fail !== 'function') return
  throw new ConfigError('onDrop', undefined, "'ack', 'fail' or a function where elements wait for an ack")
}
