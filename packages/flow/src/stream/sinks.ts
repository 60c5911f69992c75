import { promiseOf } from '../promise-of.ts'
import { closeSource, leaveClosing, warnOfFailedClose } from './puller.ts'

/** What the ends of a flow take. */
export interface SinkOptions {
  /** Ends the flow, rejecting with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** Hands each element over, one after the other; when it ends for whatever reason, the source is closed. */
export async function forEach<T>(
  open: () => AsyncIterator<T, unknown>,
  consume: (value: T) => unknown,
  { signal }: SinkOptions = {},
): Promise<void> {
  signal?.throwIfAborted()
  const source = open()
  // Closing ends a `next` that waits, so that an abort is noticed at once.
  const onAbort = (): void => leaveClosing(closeSource(source))
  signal?.addEventListener('abort', onAbort)
  try {
    for (let result = await source.next(); !result.done; result = await source.next()) {
      signal?.throwIfAborted()
      const consuming = promiseOf(consume(result.value))
      if (consuming !== undefined) await consuming
    }
    signal?.throwIfAborted()
  } catch (error) {
    await closeSource(source).catch(warnOfFailedClose)
    throw error
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}
