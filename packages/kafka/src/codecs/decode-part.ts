import { promiseOf } from '@sluice/flow/internal'
import type { Codec } from './codec.ts'

/** What a codec reads. @throws what it throws; TypeError for a promise, which nobody waits for */
export function decodePart(codec: Codec<unknown>, bytes: Buffer | null): unknown {
  const read = codec.decode(bytes)
  const promise = promiseOf<unknown>(read)
  if (promise === undefined) return read
  promise.catch(() => {})
  throw new TypeError('the codec answers with a promise; it has to answer at once')
}
