import { once } from 'node:events'
import { type Server, type Socket, connect, createServer } from 'node:net'

/**
 * A TCP proxy before a broker that changes what the broker answers, such as a record batch that a client fetches: what
 * no broker would store, or a disk has damaged, on a real connection. It takes the broker's port of its listener, so
 * that clients reach the broker through it alone.
 */
export class TamperingProxy implements AsyncDisposable {
  /** Changes an answer in place; whole answers, without their length. */
  tamper: (answer: Buffer) => void = () => {}
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  static async open(port: number, brokerPort: number): Promise<TamperingProxy> {
    const proxy = new TamperingProxy(brokerPort)
    proxy.#server.listen(port, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  private constructor(brokerPort: number) {
    this.#server = createServer((client) => this.#join(client, connect(brokerPort, '127.0.0.1')))
  }

  #join(client: Socket, broker: Socket): void {
    for (const socket of [client, broker]) {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
    }
    let pending = Buffer.alloc(0)
    client.on('data', (chunk: Buffer) => broker.write(chunk))
    broker.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const end = 4 + pending.readInt32BE(0)
        this.tamper(pending.subarray(4, end))
        client.write(Buffer.from(pending.subarray(0, end)))
        pending = pending.subarray(end)
      }
    })
    client.on('close', () => broker.destroy())
    broker.on('close', () => client.destroy())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}
