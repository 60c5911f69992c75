import { systemClock } from '@sluice/flow'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { ConnectionError, ProtocolError, RequestTimeoutError, UnsupportedBrokerError } from '../errors.ts'
import type { Driver } from './driver.ts'
import { openDriver } from './open.ts'

const key = { fetch: 1, metadata: 3, apiVersions: 18 }

/** What a scripted broker does with a request of this API: answer with this body, hang up, or say nothing. */
type Reaction = (apiKey: number, request: number) => Buffer | 'hang up' | 'silence'

/** Says the versions of all APIs that are asked for, but for Fetch those up to `fetchVersion`. */
function apiVersions(fetchVersion = 17): Buffer {
  const keys = [0, 1, 2, 3, 8, 9, 10, 18, 22, 23, 68]
  const rows = keys.map((apiKey) => {
    const row = Buffer.alloc(7)
    row.writeInt16BE(apiKey, 0)
    row.writeInt16BE(apiKey === key.fetch ? fetchVersion : 99, 4)
    return row
  })
  return Buffer.concat([Buffer.from([0, 0, keys.length + 1]), ...rows, Buffer.alloc(5)])
}

const opened: { close(): unknown }[] = []

/** Enough of a broker to see what a client does: real sockets, real framing, scripted answers. */
async function scripted(react: Reaction): Promise<{ readonly port: number; readonly sockets: Set<Socket> }> {
  const sockets = new Set<Socket>()
  let requests = 0
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    let pending = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const request = pending.subarray(4, 4 + pending.readInt32BE(0))
        pending = pending.subarray(4 + request.length)
        const apiKey = request.readInt16BE(0)
        const body = react(apiKey, apiKey === key.apiVersions ? 0 : requests++)
        if (body === 'silence') continue
        if (body === 'hang up') return void socket.destroy()
        // The answer to ApiVersions alone has no tagged fields in its header.
        const tags = Buffer.alloc(apiKey === key.apiVersions ? 0 : 1)
        const answer = Buffer.concat([Buffer.alloc(4), request.subarray(4, 8), tags, body])
        answer.writeInt32BE(answer.length - 4)
        socket.write(answer)
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  opened.push({ close: () => [...sockets].map((socket) => socket.destroy()) }, server)
  return { port: (server.address() as AddressInfo).port, sockets }
}

function driverOf(port: number, requestTimeoutMs = 10_000): Driver {
  const bootstrap = [{ host: '127.0.0.1', port }]
  const timeouts = { connectTimeoutMs: 2_000, requestTimeoutMs }
  const driver = openDriver({ bootstrap, clientId: 't', maxResponseBytes: 1_000_000, ...timeouts, clock: systemClock })
  opened.unshift(driver)
  return driver
}

const metadataAnswer = Buffer.concat([
  Buffer.from([0, 0, 0, 0, 1, 2, 'c'.charCodeAt(0), 0, 0, 0, 1]),
  // One topic, with an error code that no client of today knows.
  Buffer.from([2, 1, 0x2c, 2, 't'.charCodeAt(0), ...Buffer.alloc(16), 0, 1, 0, 0, 0, 0, 0, 0]),
])

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})

describe('a connection', () => {
  test('to a broker older than 4.0 is refused with what it lacks', async () => {
    const { port } = await scripted(() => apiVersions(16))
    const failure = await driverOf(port)
      .metadata([])
      .catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(UnsupportedBrokerError)
    expect(failure).toMatchObject({ missing: ['Fetch 17'], retriable: false })
  })

  test('takes an error code that it does not know as an error of that topic alone', async () => {
    const { port } = await scripted((apiKey) => (apiKey === key.apiVersions ? apiVersions() : metadataAnswer))
    const { topics, clusterId } = await driverOf(port).metadata(['t'])
    expect(clusterId).toBe('c')
    expect(topics).toMatchObject([{ name: 't', errorCode: 300 }])
  })

  test('that is hung up on says so, and tries the same request no more than ten times', async () => {
    const { port, sockets } = await scripted((apiKey) => (apiKey === key.apiVersions ? apiVersions() : 'hang up'))
    const driver = driverOf(port)
    for (let attempt = 1; attempt < 10; attempt++) {
      const failure = await driver.metadata([]).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(ConnectionError)
      expect(failure).toMatchObject({ retriable: true, requestSent: true })
    }
    const last = await driver.metadata([]).catch((error: unknown) => error)
    expect(last).toBeInstanceOf(ProtocolError)
    expect(last).toMatchObject({ retriable: false, api: 'Metadata' })
    expect(sockets.size).toBe(10)
  })

  test('that breaks under many requests counts once, and not at all where it had answered before', async () => {
    let isUp = true
    const { port } = await scripted((apiKey) => {
      if (apiKey === key.apiVersions) return apiVersions()
      return isUp ? metadataAnswer : 'hang up'
    })
    const driver = driverOf(port)
    for (let round = 0; round < 5; round++) {
      isUp = true
      await driver.metadata([])
      isUp = false
      const failures = await Promise.all(
        Array.from({ length: 20 }, () => driver.metadata([]).catch((error: unknown) => error)),
      )
      for (const failure of failures) expect(failure).toBeInstanceOf(ConnectionError)
    }
    const failures = await Promise.all(
      Array.from({ length: 20 }, () => driver.metadata([]).catch((error: unknown) => error)),
    )
    for (const failure of failures) expect(failure).toBeInstanceOf(ConnectionError)
  })

  test('to an address that the cluster advertises and nobody answers says where the address comes from', async () => {
    const { port } = await scripted((apiKey) => (apiKey === key.apiVersions ? apiVersions() : metadataAnswer))
    const driver = driverOf(port)
    const advertised = { id: 1, host: '127.0.0.1', port: 1 }
    const failure = await driver.listOffsets(advertised, 'read_committed', []).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ConnectionError)
    expect(failure).toMatchObject({ address: '127.0.0.1:1', advertised: true, requestSent: false })
    expect((failure as Error).message).toMatch(
      /nothing listens there .*the cluster advertises this address \(advertised\.liste/,
    )
  })

  test('to a port that cannot be is refused as any that cannot be made', async () => {
    const { port } = await scripted((apiKey) => (apiKey === key.apiVersions ? apiVersions() : metadataAnswer))
    const driver = driverOf(port)
    const advertised = { id: 1, host: '127.0.0.1', port: 70_000 }
    const failure = await driver.listOffsets(advertised, 'read_committed', []).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ConnectionError)
    expect(failure).toMatchObject({ advertised: true, requestSent: false })
  })

  test('to a bootstrap address that nobody answers does not speak of advertised addresses', async () => {
    const failure = await driverOf(1)
      .metadata([])
      .catch((error: unknown) => error)
    expect(failure).toMatchObject({ address: '127.0.0.1:1', advertised: false })
    expect((failure as Error).message).not.toContain('advertise')
  })

  test('that is answered with nonsense says so', async () => {
    const { port } = await scripted((apiKey) => (apiKey === key.apiVersions ? apiVersions() : Buffer.from([0, 0])))
    await expect(driverOf(port).metadata([])).rejects.toMatchObject({ code: 'protocol_violated', api: 'Metadata' })
  })

  test('that is not answered is given up after the request timeout, and another is made', async () => {
    const { port, sockets } = await scripted((apiKey, request) => {
      if (apiKey === key.apiVersions) return apiVersions()
      return request === 0 ? 'silence' : metadataAnswer
    })
    const driver = driverOf(port, 50)
    const failure = await driver.metadata(['t']).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(RequestTimeoutError)
    expect(failure).toMatchObject({ timeoutMs: 50, retriable: true })
    expect((await driver.metadata(['t'])).clusterId).toBe('c')
    expect(sockets.size).toBe(2)
  })

  test('that waits for a fetch is not shared, and one that is free is used again', async () => {
    const empty = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0])
    const { port, sockets } = await scripted((apiKey, request) => {
      if (apiKey === key.apiVersions) return apiVersions()
      return request === 0 ? 'silence' : empty
    })
    const driver = driverOf(port)
    const broker = { id: 1, host: '127.0.0.1', port }
    const request = {
      isolation: 'read_committed',
      maxWaitMs: 1,
      minBytes: 1,
      maxBytes: 1,
      rackId: '',
      partitions: [],
    } as const
    const waiting = driver.fetch(broker, request).catch((error: unknown) => error)
    for (let fetch = 0; fetch < 3; fetch++) {
      expect(await driver.fetch(broker, request)).toMatchObject({ throttleMs: 0, partitions: [] })
    }
    expect(sockets.size).toBe(2)
    await driver.close()
    expect(await waiting).toBeInstanceOf(ConnectionError)
  })
})
