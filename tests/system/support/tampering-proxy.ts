import type { Socket } from 'node:net'
import { Frames, TcpProxy } from './tcp-proxy.ts'

/**
 * A TCP proxy before a broker that changes what the broker answers, such as a record batch that a client fetches: what
 * no broker would store, or a disk has damaged, on a real connection. It may change or withhold requests too. It takes
 * the broker's port of its listener, so that clients reach the broker through it alone.
 */
export class TamperingProxy extends TcpProxy {
  /** Changes an answer in place; whole answers, without their length. */
  tamper: (answer: Buffer) => void = () => {}
  /** Changes a request in place, without its length; true withholds it. */
  tamperRequest: (request: Buffer) => boolean = () => false

  static async open(port: number, brokerPort: number): Promise<TamperingProxy> {
    return await new TamperingProxy(brokerPort).listening(port)
  }

  protected join(client: Socket, broker: Socket): void {
    const answers = new Frames((frame) => {
      this.tamper(frame.subarray(4))
      client.write(frame)
    })
    const requests = new Frames((frame) => {
      if (!this.tamperRequest(frame.subarray(4))) broker.write(frame)
    })
    client.on('data', (chunk: Buffer) => requests.push(chunk))
    broker.on('data', (chunk: Buffer) => answers.push(chunk))
    client.on('close', () => broker.destroy())
    broker.on('close', () => client.destroy())
  }
}
