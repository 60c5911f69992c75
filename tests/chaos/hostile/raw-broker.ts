import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { int32 } from './batch-bytes.ts'

/** A partition that was just made, or whose broker has just started: unknown, without a leader, led by another. */
const settling: ReadonlySet<number> = new Set([3, 5, 6])

/** Sends batches to a broker as they are, by a Produce request of version 7, past every check of a client. */
export class RawBroker implements AsyncDisposable {
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  #waiting: ((answer: Buffer) => void) | undefined
  #correlationId = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('error', () => {})
  }

  static async connect(bootstrap: string): Promise<RawBroker> {
    const [host = '', port = ''] = bootstrap.split(':')
    const socket = connect(Number(port), host)
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return new RawBroker(socket)
  }

  /** Where the batch begins in the log. @throws Error with Kafka's code where the broker refuses it */
  async produce(topic: string, partition: number, batch: Buffer): Promise<number> {
    for (let tries = 1; ; tries++) {
      const { errorCode, baseOffset } = await this.#send(topic, partition, batch)
      if (errorCode === 0) return baseOffset
      const isSettling = settling.has(errorCode) && tries < 100
      if (!isSettling) throw new Error(`${topic}/${partition}: a hostile batch was refused with code ${errorCode}`)
      await sleep(100)
    }
  }

  async #send(topic: string, partition: number, batch: Buffer) {
    const head = Buffer.concat([int16(0), int16(7), int32(this.#correlationId++), text('hostile')])
    const settings = Buffer.concat([int16(-1), int16(-1), int32(30_000)])
    const data = [int32(1), text(topic), int32(1), int32(partition), int32(batch.length), batch]
    const request = Buffer.concat([head, settings, ...data])
    const answering = new Promise<Buffer>((resolve, reject) => {
      this.#waiting = resolve
      this.#socket.once('close', () => reject(new Error('the broker hung up on a hostile batch')))
    })
    this.#socket.write(Buffer.concat([int32(request.length), request]))
    const answer = await answering
    const at = 4 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4
    return { errorCode: answer.readInt16BE(at), baseOffset: Number(answer.readBigInt64BE(at + 2)) }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#socket.removeAllListeners('close').destroy()
    return Promise.resolve()
  }

  #take(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk])
    if (this.#received.length < 4) return
    const end = 4 + this.#received.readInt32BE(0)
    if (this.#received.length < end) return
    const answer = this.#received.subarray(4, end)
    this.#received = this.#received.subarray(end)
    this.#socket.removeAllListeners('close')
    this.#waiting?.(answer)
  }
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)])
}
