import { once } from 'node:events'
import { type Server, type Socket, connect, createServer } from 'node:net'

/** A TCP proxy before a server of this machine; what becomes of the bytes is for those that extend it to say. */
export abstract class TcpProxy implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  protected constructor(serverPort: number) {
    this.#server = createServer((client) => {
      const server = connect(serverPort, '127.0.0.1')
      for (const socket of [client, server]) {
        this.#sockets.add(socket)
        socket.setNoDelay()
        socket.on('error', () => socket.destroy())
        socket.on('close', () => this.#sockets.delete(socket))
      }
      this.join(client, server)
    })
  }

  get port(): number {
    return (this.#server.address() as { readonly port: number }).port
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  /** Port 0: one that is free. */
  protected async listening(port: number): Promise<this> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
    return this
  }

  /** A client has come: carries its bytes to the server and back. */
  protected abstract join(client: Socket, server: Socket): void
}

/** Cuts a stream into frames that begin with their length, as those of Kafka do. */
export class Frames {
  #pending = Buffer.alloc(0)
  readonly #onFrame: (frame: Buffer) => void

  /** `onFrame` gets whole frames, their lengths included, which are its own. */
  constructor(onFrame: (frame: Buffer) => void) {
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    this.#pending = Buffer.concat([this.#pending, chunk])
    while (this.#pending.length >= 4 && this.#pending.length >= 4 + this.#pending.readInt32BE(0)) {
      const end = 4 + this.#pending.readInt32BE(0)
      this.#onFrame(Buffer.from(this.#pending.subarray(0, end)))
      this.#pending = this.#pending.subarray(end)
    }
  }
}
