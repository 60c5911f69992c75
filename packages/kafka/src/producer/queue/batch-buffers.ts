/** Beyond that, buffers are left to the garbage collector. */
const keptBytes = 4_194_304

/**
 * Buffers for encoded batches, used again once the broker has acknowledged what they held. The bytes of buffers count as
 * external memory: fresh ones for every batch bring on one full garbage collection after the other, and each of them
 * goes through all records that are queued.
 */
export class BatchBuffers {
  /** Of a buffer that is kept: a full batch fits. */
  readonly #size: number
  readonly #free: ArrayBufferLike[] = []

  constructor(batchBytes: number) {
    this.#size = batchBytes
  }

  /** At least so many bytes, with anything in them. A batch that is far from full gets no more than it needs. */
  readonly take = (bytes: number): Buffer => {
    if (bytes > this.#size || bytes <= this.#size / 2) return Buffer.allocUnsafeSlow(bytes)
    const free = this.#free.pop()
    return free ? Buffer.from(free) : Buffer.allocUnsafeSlow(this.#size)
  }

  /** Takes back what nobody reads or sends any more. */
  give(batch: Buffer): void {
    const { buffer } = batch
    if (buffer.byteLength === this.#size && this.#free.length * this.#size < keptBytes) this.#free.push(buffer)
  }
}
