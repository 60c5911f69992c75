import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'

const apiVersionsKey = 18

/**
 * Asks a broker which APIs it has (ApiVersions, version 0), over a connection of its own. Resolves when it answers
 * without an error; rejects otherwise, after at most `timeoutMs`. With `ca` over TLS; who asks that has not to log in.
 */
export function askApiVersions(host: string, port: number, timeoutMs: number, ca?: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const correlationId = 1
  const socket = ca === undefined ? connect({ host, port }) : connectTls({ host, port, ca })
  const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  let received = Buffer.alloc(0)
  socket.once(ca === undefined ? 'connect' : 'secureConnect', () => socket.write(apiVersionsRequest(correlationId)))
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    if (received.length < 10) return
    const answersUs = received.readInt32BE(4) === correlationId && received.readInt16BE(8) === 0
    if (answersUs) resolve()
    socket.destroy(answersUs ? undefined : new Error('what answered does not speak the Kafka protocol'))
  })
  socket.once('error', reject)
  socket.once('close', () => {
    clearTimeout(timer)
    reject(new Error('the connection was closed without an answer'))
  })
  return promise
}

function apiVersionsRequest(correlationId: number): Buffer {
  const clientId = Buffer.from('sluice-stack')
  const request = Buffer.alloc(14 + clientId.length)
  request.writeInt32BE(request.length - 4, 0)
  request.writeInt16BE(apiVersionsKey, 4)
  request.writeInt16BE(0, 6)
  request.writeInt32BE(correlationId, 8)
  request.writeInt16BE(clientId.length, 12)
  clientId.copy(request, 14)
  return request
}
