import type { Writable } from 'node:stream'
import type { Submittable } from 'pg'
import type { Order } from './orders.ts'

/** What is used of pg's connection. */
interface Connection {
  query(statement: string): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
  readonly stream: Writable
}

const CHUNK_ROWS = 5_000

/** `COPY .. FROM STDIN` as a query of pg: rows as text, no faster than the socket takes them. */
export class CopyIn implements Submittable {
  readonly ended: Promise<void>
  readonly #statement: string
  readonly #count: number
  readonly #rowOf: (index: number) => Order
  readonly #end = Promise.withResolvers<void>()

  constructor(statement: string, count: number, rowOf: (index: number) => Order) {
    this.#statement = statement
    this.#count = count
    this.#rowOf = rowOf
    this.ended = this.#end.promise
  }

  submit(connection: unknown): void {
    ;(connection as Connection).query(this.#statement)
  }

  handleCopyInResponse(connection: Connection): void {
    void this.#send(connection)
  }

  handleCommandComplete(): void {}

  handleError(error: Error): void {
    this.#end.reject(error)
  }

  handleReadyForQuery(): void {
    this.#end.resolve()
  }

  async #send(connection: Connection): Promise<void> {
    for (let from = 0; from < this.#count; from += CHUNK_ROWS) {
      const lines: string[] = []
      for (let index = from; index < Math.min(this.#count, from + CHUNK_ROWS); index++) {
        const { id, userId, productId, amount, region } = this.#rowOf(index)
        lines.push(`${id}\t${userId}\t${productId}\t${amount}\t${region}\n`)
      }
      connection.sendCopyFromChunk(Buffer.from(lines.join('')))
      if (connection.stream.writableLength > 1_048_576) {
        await new Promise((resolve) => connection.stream.once('drain', resolve))
      }
    }
    connection.endCopyFrom()
  }
}
