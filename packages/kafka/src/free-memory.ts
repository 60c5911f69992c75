/**
 * Gives the memory of these bytes back at once, and of all others in the same ArrayBuffer: nobody may look at them any
 * more. The garbage collector frees it late, since it sees no more than a small object.
 */
export function freeMemory({ buffer }: Buffer): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0)
}

/** Whether nothing else lies in the memory of these bytes. */
export function hasOwnMemory({ buffer, length }: Buffer): boolean {
  return length === buffer.byteLength
}
