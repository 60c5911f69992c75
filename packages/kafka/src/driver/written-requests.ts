import type { Socket } from 'node:net'
import { freeMemory, hasOwnMemory } from '../free-memory.ts'

/** A smaller one may share its memory with others, and is no burden. */
const minBytes = 65_536

interface Waiter {
  /** How many requests have to be written. */
  readonly count: number
  readonly settle: (error?: Error | null) => void
}

/**
 * Follows requests on their way out of this process.
 *
 * Gives back the memory of large ones when the kernel has taken them. The library copies each request together from
 * its parts, and leaves the copy to the garbage collector: since it counts as external memory, some hundred megabytes a
 * second of it bring on one full collection after the other, and each goes through all records that are queued.
 */
export class WrittenRequests {
  #begun = 0
  #written = 0
  /** In the order of their counts. */
  #waiters: Waiter[] = []

  constructor(socket: Pick<Socket, 'write'>) {
    const write: (bytes: Buffer, onWritten: (error?: Error | null) => void) => boolean = socket.write.bind(socket)
    socket.write = (bytes: Buffer) => {
      this.#begun++
      return write(bytes, (error) => {
        if (bytes.length >= minBytes && hasOwnMemory(bytes)) freeMemory(bytes)
        this.#onWritten(error)
      })
    }
  }

  /** Resolves when the kernel has taken all requests that were made so far; rejects when the socket breaks before. */
  all(): Promise<void> {
    if (this.#written === this.#begun) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const settle = (error?: Error | null): void => (error ? reject(error) : resolve())
      this.#waiters.push({ count: this.#begun, settle })
    })
  }

  /** Sockets write in order, and call back in that order: also for what was lost when they broke. */
  #onWritten(error?: Error | null): void {
    this.#written++
    while (this.#waiters.length > 0 && (error || this.#waiters[0]!.count <= this.#written)) {
      this.#waiters.shift()!.settle(error)
    }
  }
}
