import { lstatSync, readdirSync, readlinkSync } from 'node:fs'

/**
 * The process that reads the pipe this process writes to, as Linux tells in /proc. A write to a pipe fails once its
 * reader is gone, but Node does not say so while nothing is written.
 */
export class PipeReader {
  readonly #pipe: string
  /** The reader's end, such as /proc/42/fd/0. */
  #end: string

  private constructor(pipe: string, end: string) {
    this.#pipe = pipe
    this.#end = end
  }

  /** Undefined where it cannot be found: on another system, in another container, or no pipe at all. */
  static of(fd: number): PipeReader | undefined {
    const pipe = targetOf(`/proc/self/fd/${fd}`)
    if (typeof pipe !== 'string' || !pipe.startsWith('pipe:')) return undefined
    const end = findEnd(pipe)
    return end === undefined ? undefined : new PipeReader(pipe, end)
  }

  /** Whether nobody holds the other end any more. */
  isGone(): boolean {
    const target = targetOf(this.#end)
    // What may not be looked at any more is still there: the reader has become another user.
    if (target === this.#pipe || target === 'forbidden') return false
    const next = findEnd(this.#pipe)
    if (next === undefined) return true
    this.#end = next
    return false
  }
}

function findEnd(pipe: string): string | undefined {
  const own = process.pid
  const processes = readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && pid !== own)
  // The processes of a pipeline are started one after the other.
  processes.sort((a, b) => Math.abs(a - own) - Math.abs(b - own))
  for (const pid of processes) {
    const folder = `/proc/${pid}/fd`
    const end = filesIn(folder).find((fd) => targetOf(`${folder}/${fd}`) === pipe && isReadable(`${folder}/${fd}`))
    if (end !== undefined) return `${folder}/${end}`
  }
  return undefined
}

/** Empty for a process of somebody else, or one that has ended. */
function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function targetOf(link: string): string | undefined {
  try {
    return readlinkSync(link)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? 'forbidden' : undefined
  }
}

/** The permissions of the link are those with which the file was opened: writers hold the same pipe. */
function isReadable(link: string): boolean {
  try {
    return (lstatSync(link).mode & 0o400) !== 0
  } catch {
    return false
  }
}
