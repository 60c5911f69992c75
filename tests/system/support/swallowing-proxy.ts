import type { Socket } from 'node:net'
import { TcpProxy } from './tcp-proxy.ts'

/**
 * A TCP proxy that can become a black hole: connections stay up and new ones are accepted, but nothing arrives on either
 * side any more, and nothing is reset, as behind a firewall that drops.
 */
export class SwallowingProxy extends TcpProxy {
  #isSwallowing = false

  static async open(port: number, serverPort: number): Promise<SwallowingProxy> {
    return await new SwallowingProxy(serverPort).listening(port)
  }

  swallow(): void {
    this.#isSwallowing = true
  }

  protected join(client: Socket, server: Socket): void {
    client.on('data', (chunk: Buffer) => this.#isSwallowing || server.write(chunk))
    server.on('data', (chunk: Buffer) => this.#isSwallowing || client.write(chunk))
    client.on('close', () => server.destroy())
    server.on('close', () => this.#isSwallowing || client.destroy())
  }
}
