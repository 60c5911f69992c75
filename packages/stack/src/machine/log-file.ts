import { closeSync, constants, copyFileSync, openSync, readSync, rmSync, statSync, truncateSync } from 'node:fs'

const defaultMaxBytes = 16 * 1024 * 1024

/** The output of one process: one file and its predecessor, each at most about `maxBytes`. */
export class LogFile {
  readonly path: string
  readonly #maxBytes: number

  /** @param maxBytes from which size the file is set aside at the next look. Default 16 MiB. */
  constructor(path: string, maxBytes: number = defaultMaxBytes) {
    this.path = path
    this.#maxBytes = maxBytes
  }

  /** A descriptor that appends; the caller closes it. A link is not followed. */
  open(): number {
    const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants
    return openSync(this.path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o644)
  }

  /** Sets a file that has grown too large aside as `<path>.1`. Its writers append, so they go on in the emptied one. */
  rotate(): void {
    if (this.size() <= this.#maxBytes) return
    rmSync(`${this.path}.1`, { force: true })
    copyFileSync(this.path, `${this.path}.1`, constants.COPYFILE_EXCL)
    truncateSync(this.path, 0)
  }

  size(): number {
    return statSync(this.path, { throwIfNoEntry: false })?.size ?? 0
  }

  /** What was written since `offset`, at most the last `maxBytes` of it. */
  readFrom(offset: number, maxBytes: number = 256 * 1024): string {
    const size = this.size()
    const start = Math.max(offset > size ? 0 : offset, size - maxBytes, 0)
    if (size <= start) return ''
    const buffer = Buffer.alloc(size - start)
    const fd = openSync(this.path, 'r')
    try {
      return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, start))
    } finally {
      closeSync(fd)
    }
  }

  /** The last lines, for an error message. */
  tail(lines: number, since = 0): string {
    return this.readFrom(since).trimEnd().split('\n').slice(-lines).join('\n')
  }
}
