import type { Socket } from 'node:net'
import { TcpProxy } from './tcp-proxy.ts'

const readyForQuery = Buffer.from('Z\0\0\0\x05I', 'latin1')

/**
 * A TCP proxy before PostgreSQL, whose server dies in the moment in which it lets somebody in: what it says last comes
 * in one piece with its welcome.
 */
export class LastWordsProxy extends TcpProxy {
  /** So many are let in and die. */
  deaths = 1

  static async open(serverPort: number): Promise<LastWordsProxy> {
    return await new LastWordsProxy(serverPort).listening(0)
  }

  protected join(client: Socket, server: Socket): void {
    client.on('data', (chunk: Buffer) => server.write(chunk))
    client.on('close', () => server.destroy())
    server.on('close', () => client.destroy())
    server.on('data', (chunk: Buffer) => {
      if (this.deaths === 0 || !chunk.subarray(-readyForQuery.length).equals(readyForQuery)) return client.write(chunk)
      this.deaths--
      return client.end(Buffer.concat([chunk, lastWords()]))
    })
  }
}

/** An ErrorResponse, as of a backend whose postmaster is gone. */
function lastWords(): Buffer {
  const fields = 'SFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0'
  const message = Buffer.alloc(5 + fields.length, `E....${fields}`)
  message.writeInt32BE(4 + fields.length, 1)
  return message
}
