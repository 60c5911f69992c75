import type { API, Connection, Writer } from '@platformatic/kafka'
import { ProtocolError } from '../errors.ts'
import { ChunkReader } from './chunk-reader.ts'
import { library, type Library } from './library.ts'

/** Whether the headers of a request and its answer end with tagged fields. */
export interface HeaderTags {
  readonly inRequest: boolean
  readonly inAnswer: boolean
}

/** One version of one API of the protocol. */
export interface Api<Args extends unknown[], Answer> {
  readonly version: number
  /** Sends a request over a connection and reads the answer. */
  call(connection: Connection, ...args: Args): Promise<Answer>
}

/** Names of what the library exports for the versions of APIs, such as `metadataV12`. */
type LibraryApiName = {
  [Name in keyof Library]: Library[Name] extends { createRequest: (...args: never[]) => Writer } ? Name : never
}[keyof Library]

/** An API whose requests the library writes. The name stands for argument types that the library does not export. */
export interface LibraryApi<Name extends LibraryApiName, Answer> extends Api<
  Parameters<Library[Name]['createRequest']>,
  Answer
> {}

/**
 * An API whose answers are read here, and whose requests the library writes (`writer` is the name of its export) or a
 * function of ours. The library's own readers reject a whole answer for one error code in it, fail on codes newer than
 * themselves, take time that grows faster than the answer, and never end where a length in it is negative.
 */
export function answeredBy<Name extends LibraryApiName, Answer>(
  key: number,
  version: number,
  writer: Name,
  read: (answer: ChunkReader) => Answer,
  tags?: HeaderTags,
): LibraryApi<Name, Answer>
export function answeredBy<Args extends unknown[], Answer>(
  key: number,
  version: number,
  writer: (...args: Args) => Writer,
  read: (answer: ChunkReader) => Answer,
  tags?: HeaderTags,
): Api<Args, Answer>
export function answeredBy<Answer>(
  key: number,
  version: number,
  writer: LibraryApiName | ((...args: never[]) => Writer),
  read: (answer: ChunkReader) => Answer,
  { inRequest, inAnswer }: HeaderTags = { inRequest: true, inAnswer: true },
): Api<unknown[], Answer> {
  let api: API<unknown[], Answer> | undefined
  // At the first call, for the library is not loaded before.
  const create = (kafka: Library): API<unknown[], Answer> =>
    kafka.createAPI<unknown[], Answer>(
      key,
      version,
      typeof writer === 'string' ? kafka[writer].createRequest : writer,
      (_id, _key, _version, reader) => read(new ChunkReader(reader.buffer.buffers)),
      inRequest,
      inAnswer,
    )
  return { version, call: (connection, ...args) => (api ??= create(library())).async(connection, ...args) }
}

/** No broker asks for so long a pause: a quota lets a client wait for some windows of a second. */
const maxThrottleMs = 600_000

/** For how long a broker wants to be left alone: 0 to 600,000 ms, whatever the response says. */
export function readThrottleMs(answer: ChunkReader): number {
  return Math.min(Math.max(0, answer.int32()), maxThrottleMs)
}

/** As `answeredBy`, for an answer that may be long: it is left unread, for `readUnread`. */
export function answeredUnread<Name extends LibraryApiName>(
  key: number,
  version: number,
  writer: Name,
): LibraryApi<Name, ChunkReader> {
  return answeredBy(key, version, writer, (answer) => answer)
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
