import type { Socket } from 'node:net'

/** An answer begins with the four bytes of its correlation id. */
const minFrameBytes = 4

export interface FrameLimit {
  readonly maxBytes: number
  /** What to look at where an answer is larger. */
  readonly hint: string
}

export interface FrameGuardOptions {
  /** How large an answer may be now. */
  readonly limit: () => FrameLimit
  /** Without TLS here: a broker that speaks TLS is left to the library, which says so. */
  readonly isPlain: boolean
}

/**
 * Stands between a socket and those who listen for its data: an error that they throw, or an answer that announces a
 * size that it cannot have, ends the connection and not the process. Its requests reject with the error.
 */
export function guardFrames(socket: Socket, options: FrameGuardOptions): void {
  const listeners = socket.listeners('data') as ((chunk: Buffer) => void)[]
  const frames = new FrameSizes(options.limit)
  let isFirst = true
  socket.removeAllListeners('data')
  socket.on('data', (chunk: Buffer) => {
    if (socket.destroyed) return
    try {
      if (!(isFirst && options.isPlain && isTlsRecord(chunk))) frames.check(chunk)
      isFirst = false
      for (const listener of listeners) listener(chunk)
    } catch (error) {
      socket.destroy(error instanceof Error ? error : new Error(String(error)))
    }
  })
}

/** Follows the frames through the chunks of a socket and looks at the size that each announces. */
class FrameSizes {
  readonly #limit: () => FrameLimit
  /** Bytes of the current frame that are still to come. */
  #left = 0
  #size = 0
  #sizeBytes = 0

  constructor(limit: () => FrameLimit) {
    this.#limit = limit
  }

  /** @throws RangeError for a frame whose size is not possible */
  check(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      const step = Math.min(this.#left, chunk.length - at)
      this.#left -= step
      at += step
      while (this.#left === 0 && at < chunk.length) this.#readSize(chunk[at++]!)
    }
  }

  #readSize(byte: number): void {
    this.#size = (this.#size << 8) | byte
    if (++this.#sizeBytes < 4) return
    const size = this.#size
    const { maxBytes, hint } = this.#limit()
    if (size < minFrameBytes || size > maxBytes) {
      const allowed = `${minFrameBytes} to ${maxBytes} are allowed (${hint})`
      throw new RangeError(`it announces an answer of ${size} bytes, but ${allowed}`)
    }
    this.#left = size
    this.#size = 0
    this.#sizeBytes = 0
  }
}

/** The type of a record, and the version of TLS: no answer of Kafka begins so, it would be larger than any. */
function isTlsRecord(chunk: Buffer): boolean {
  return chunk.length >= 3 && chunk[0]! >= 0x14 && chunk[0]! <= 0x17 && chunk[1] === 3 && chunk[2]! <= 4
}
