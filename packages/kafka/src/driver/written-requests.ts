import type { Socket } from 'node:net'

/** A smaller one may share its memory with others, and is no burden. */
const minBytes = 65_536

/**
 * Gives back the memory of large requests when the kernel has taken them. The library copies each request together from
 * its parts, and leaves the copy to the garbage collector: since it counts as external memory, some hundred megabytes a
 * second of it bring on one full collection after the other, and each goes through all records that are queued.
 */
export function freeWrittenRequests(socket: Pick<Socket, 'write'>): void {
  const write: (bytes: Buffer, onWritten: () => void) => boolean = socket.write.bind(socket)
  socket.write = (bytes: Buffer) => write(bytes, () => free(bytes))
}

function free({ buffer, length }: Buffer): void {
  if (length >= minBytes && length === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
