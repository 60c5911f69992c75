import { once } from 'node:events'
import { createServer, type AddressInfo, type Socket } from 'node:net'

export interface ReceivedRequest {
  readonly apiKey: number
  readonly version: number
  readonly correlationId: number
  /** All of it, from the API key on. */
  readonly bytes: Buffer
}

export interface FakeBroker {
  readonly port: number
  readonly sockets: ReadonlySet<Socket>
  close(): Promise<void>
}

/** A TCP server that reads requests and leaves it to `react` what is written back, if anything. */
export async function fakeBroker(react: (request: ReceivedRequest, socket: Socket) => void): Promise<FakeBroker> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    let pending = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const bytes = pending.subarray(4, 4 + pending.readInt32BE(0))
        pending = pending.subarray(4 + bytes.length)
        const [apiKey, version, correlationId] = [bytes.readInt16BE(0), bytes.readInt16BE(2), bytes.readInt32BE(4)]
        react({ apiKey, version, correlationId, bytes }, socket)
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** An answer as it goes over the wire; `body` is what follows the correlation id. */
export function frameOf(correlationId: number, body: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt32BE(body.length + 4, 0)
  head.writeInt32BE(correlationId, 4)
  return Buffer.concat([head, body])
}
