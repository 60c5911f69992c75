import { createAPI, type API, type Writer } from '@platformatic/kafka'
import { ProtocolError } from '../errors.ts'
import { ChunkReader } from './chunk-reader.ts'

/** Whether the headers of a request and its answer end with tagged fields. */
export interface HeaderTags {
  readonly inRequest: boolean
  readonly inAnswer: boolean
}

/**
 * An API whose requests the library writes and whose answers are read here. The library's own readers reject a whole
 * answer for one error code in it, fail on codes newer than themselves, take time that grows faster than the answer,
 * and never end where a length in it is negative.
 */
export function answeredBy<Args extends unknown[], Answer>(
  key: number,
  version: number,
  createRequest: (...args: Args) => Writer,
  read: (answer: ChunkReader) => Answer,
  { inRequest, inAnswer }: HeaderTags = { inRequest: true, inAnswer: true },
): API<Args, Answer> {
  return createAPI<Args, Answer>(
    key,
    version,
    createRequest,
    (_id, _key, _version, reader) => read(new ChunkReader(reader.buffer.buffers)),
    inRequest,
    inAnswer,
  )
}

/** No broker asks for so long a pause: a quota lets a client wait for some windows of a second. */
const maxThrottleMs = 600_000

/** For how long a broker wants to be left alone: 0 to 600,000 ms, whatever the response says. */
export function readThrottleMs(answer: ChunkReader): number {
  return Math.min(Math.max(0, answer.int32()), maxThrottleMs)
}

/** As `answeredBy`, for an answer that may be long: it is left unread, for `readUnread`. */
export function answeredUnread<Args extends unknown[]>(
  key: number,
  version: number,
  createRequest: (...args: Args) => Writer,
): API<Args, ChunkReader> {
  return answeredBy(key, version, createRequest, (answer) => answer)
}

/** Reads an answer that was left unread. @throws ProtocolError as one that was read at once */
export async function readUnread<Answer>(
  answer: ChunkReader,
  { address, api }: { readonly address: string; readonly api: string },
  read: (answer: ChunkReader) => Promise<Answer>,
): Promise<Answer> {
  try {
    return await read(answer)
  } catch (cause) {
    const message = `the answer of ${address} to ${api} cannot be read: ${(cause as Error).message}`
    throw new ProtocolError(address, api, message, cause)
  }
}
