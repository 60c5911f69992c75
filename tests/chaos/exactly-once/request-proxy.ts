import type { Socket } from 'node:net'
import { Frames, TcpProxy } from '../../system/support/tcp-proxy.ts'

/** A request of a client, as far as its header tells. */
export interface SeenRequest {
  readonly apiKey: number
  readonly apiVersion: number
  /** Breaks the connection of the client; what it has sent goes on its way all the same. */
  readonly hangUp: () => void
}

/** The end of a transaction (EndTxn). */
export const endTxn = 26
export const produce = 0

/**
 * A TCP proxy before a broker that sees the requests of clients one by one. It can keep one back, and with it what
 * follows on its connection, also after the client has hung up: when it is let go, it arrives late, as over a slow network.
 */
export class RequestProxy extends TcpProxy {
  /** Asked with every request: it passes when that has resolved. */
  admit: (request: SeenRequest) => Promise<unknown> | undefined = () => undefined
  /** Told of every answer, the client being there or not. */
  answered: (request: SeenRequest, answer: Buffer) => void = () => {}

  static async open(port: number, brokerPort: number): Promise<RequestProxy> {
    return await new RequestProxy(brokerPort).listening(port)
  }

  protected join(client: Socket, broker: Socket): void {
    const open = new Map<number, SeenRequest>()
    let passing: Promise<unknown> = Promise.resolve()
    const requests = new Frames((frame) => {
      const hangUp = (): void => void client.destroy()
      const request = { apiKey: frame.readInt16BE(4), apiVersion: frame.readInt16BE(6), hangUp }
      open.set(frame.readInt32BE(8), request)
      const admitted = this.admit(request)
      passing = passing.then(() => admitted).then(() => broker.write(frame))
    })
    const answers = new Frames((frame) => {
      const id = frame.readInt32BE(4)
      const request = open.get(id)!
      open.delete(id)
      this.answered(request, frame.subarray(4))
      if (!client.destroyed) client.write(frame)
    })
    client.on('data', (chunk: Buffer) => requests.push(chunk))
    broker.on('data', (chunk: Buffer) => answers.push(chunk))
    // What is kept back goes to the broker all the same.
    client.on('close', () => void passing.then(() => broker.end()))
    broker.on('close', () => client.destroy())
  }
}
