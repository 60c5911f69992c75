import { createAPI, type API, type Writer } from '@platformatic/kafka'
import { ChunkReader } from './chunk-reader.ts'

/**
 * An API whose requests the library writes and whose answers are read here. The library's own readers reject a whole
 * answer for one error code in it, fail on codes newer than themselves, and take time that grows faster than the answer.
 */
export function answeredBy<Args extends unknown[], Answer>(
  key: number,
  version: number,
  createRequest: (...args: Args) => Writer,
  read: (answer: ChunkReader) => Answer,
): API<Args, Answer> {
  return createAPI<Args, Answer>(key, version, createRequest, (_id, _key, _version, reader) =>
    read(new ChunkReader(reader.buffer.buffers)),
  )
}
