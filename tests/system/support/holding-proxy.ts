import { once } from 'node:events'
import { type Server, type Socket, connect, createServer } from 'node:net'

/** One client's connection and its other half to the broker. */
class Passage {
  readonly #client: Socket
  readonly #broker: Socket
  #held: Buffer[] | undefined

  constructor(client: Socket, broker: Socket) {
    this.#client = client
    this.#broker = broker
    for (const socket of [client, broker]) socket.on('error', () => socket.destroy())
    client.on('data', (chunk: Buffer) => (this.#held ? this.#held.push(chunk) : broker.write(chunk)))
    broker.on('data', (chunk: Buffer) => client.write(chunk))
    broker.on('close', () => client.destroy())
    // A client that hangs up while its bytes are kept back leaves them behind.
    client.on('close', () => this.#held ?? broker.end())
  }

  get heldBytes(): number {
    return this.#held?.reduce((sum, { length }) => sum + length, 0) ?? 0
  }

  hold(): void {
    this.#held ??= []
  }

  release(): void {
    for (const chunk of this.#held ?? []) this.#broker.write(chunk)
    this.#held = undefined
  }

  destroy(): void {
    this.#client.destroy()
    this.#broker.destroy()
  }
}

/**
 * A TCP proxy before a broker that can keep back what clients have sent, also after they have hung up, as a frozen
 * machine does: when it is let go, it arrives late.
 */
export class HoldingProxy implements AsyncDisposable {
  readonly #server: Server
  readonly #passages: Passage[] = []

  static async open(port: number, brokerPort: number): Promise<HoldingProxy> {
    const proxy = new HoldingProxy(brokerPort)
    proxy.#server.listen(port, '127.0.0.1')
    await once(proxy.#server, 'listening')
    return proxy
  }

  private constructor(brokerPort: number) {
    this.#server = createServer((client) => {
      this.#passages.push(new Passage(client, connect(brokerPort, '127.0.0.1')))
    })
  }

  /** What was sent since it keeps back. */
  get heldBytes(): number {
    return this.#passages.reduce((sum, { heldBytes }) => sum + heldBytes, 0)
  }

  /** Keeps back what is sent from now on over the connections there are; later connections are free. */
  hold(): void {
    for (const passage of this.#passages) passage.hold()
  }

  release(): void {
    for (const passage of this.#passages) passage.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const passage of this.#passages) passage.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

/** A port of the loopback address on which nobody listens now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { readonly port: number }
  server.close()
  await once(server, 'close')
  return port
}
