import { ManualClock, systemClock, type Clock } from '@sluice/flow'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { RequestTimeoutError } from '../errors.ts'
import type { SaslOptions } from './connect-options.ts'
import type { Driver, ProduceRequest } from './driver.ts'
import { openDriver } from './open.ts'
import { apiKeys } from './testing/driver-calls.ts'
import { fakeBroker, frameOf, type FakeBroker, type ReceivedRequest } from './testing/fake-broker.ts'
import { recordedAnswers } from './testing/recorded-answers.ts'

const opened: { close(): Promise<unknown> }[] = []
const dayMs = 86_400_000

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})

/** Answers what it is asked as a real broker did; `react` may take a request for itself by returning true. */
async function brokerThat(react: (request: ReceivedRequest, socket: Socket) => boolean): Promise<FakeBroker> {
  const broker = await fakeBroker((request, socket) => {
    if (react(request, socket)) return
    const name = Object.keys(recordedAnswers).find((one) => {
      const [api, version] = one.split(' ')
      return apiKeys[api!] === request.apiKey && Number(version) === request.version
    })
    socket.write(frameOf(request.correlationId, recordedAnswers[name!]!))
  })
  opened.push(broker)
  return broker
}

function driverOf(
  { port }: FakeBroker,
  {
    clock = systemClock,
    sasl,
    requestTimeoutMs = 20_000,
  }: { clock?: Clock; sasl?: SaslOptions; requestTimeoutMs?: number } = {},
): Driver {
  const settings = { clientId: 't', connectTimeoutMs: 20_000, requestTimeoutMs, maxResponseBytes: 1_000_000 }
  const driver = openDriver({ bootstrap: [{ host: '127.0.0.1', port }], ...settings, clock, sasl })
  opened.unshift(driver)
  return driver
}

const nodeOf = ({ port }: FakeBroker) => ({ id: 1, host: '127.0.0.1', port })

function produced(bytes: number, options: Partial<ProduceRequest> = {}): ProduceRequest {
  const batches = [{ topic: 'orders', partition: 0, batch: Buffer.alloc(bytes) }]
  return { acks: -1, timeoutMs: 1_000, transactionalId: null, batches, ...options }
}

describe('what is written in a transaction', () => {
  test('and waits for its coordinator holds up neither plain producers nor other transactions', async () => {
    const held = new Set<Socket>()
    // As a broker does it: in order, so that what waits holds up all behind it on the same connection.
    const broker = await brokerThat(({ apiKey, bytes }, socket) => {
      if (apiKey === apiKeys['Produce'] && bytes.includes('waits')) held.add(socket)
      return held.has(socket)
    })
    const driver = driverOf(broker)
    const waiting = driver
      .produce(nodeOf(broker), produced(70, { transactionalId: 'waits' }))
      .catch((error: unknown) => error)
    await expect.poll(() => held.size, { timeout: 10_000 }).toBe(1)
    expect((await driver.produce(nodeOf(broker), produced(70))).results).not.toHaveLength(0)
    for (let write = 0; write < 3; write++) {
      const { results } = await driver.produce(nodeOf(broker), produced(70, { transactionalId: 'other' }))
      expect(results).not.toHaveLength(0)
    }
    // One that waits, one for the other, one for plain producers: connections are used again.
    expect(broker.sockets.size).toBe(3)
    await driver.close()
    expect(await waiting).toMatchObject({ code: 'connection_failed' })
  })
})

describe('a request that is not answered', () => {
  /** Reads nothing more once it has said what it speaks. */
  const deaf = (paused: Socket[]) =>
    brokerThat(({ apiKey, correlationId }, socket) => {
      if (apiKey !== apiKeys['ApiVersions'] || paused.length > 0) return false
      socket.write(frameOf(correlationId, recordedAnswers['ApiVersions 3']!))
      socket.pause()
      paused.push(socket)
      return true
    })

  test('is done when its bytes have left, not before', async () => {
    const paused: Socket[] = []
    const broker = await deaf(paused)
    const driver = driverOf(broker)
    let isDone = false
    const sent = driver.produce(nodeOf(broker), produced(64_000_000, { acks: 0 })).then((response) => {
      isDone = true
      return response
    })
    await expect.poll(() => paused.length, { timeout: 10_000 }).toBe(1)
    // Round trips of another connection: time enough for all that does not wait.
    for (let turn = 0; turn < 20; turn++) await driver.metadata([])
    expect(isDone).toBe(false)
    paused[0]!.removeAllListeners('data').resume()
    expect(await sent).toEqual({ throttleMs: 0, results: [] })
  })

  test('and does not leave ends with the request timeout, and its connection with it', async () => {
    const paused: Socket[] = []
    const broker = await deaf(paused)
    const driver = driverOf(broker, { requestTimeoutMs: 50 })
    const failure = await driver
      .produce(nodeOf(broker), produced(64_000_000, { acks: 0 }))
      .catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(RequestTimeoutError)
    paused[0]!.removeAllListeners('data').resume()
    await expect.poll(() => broker.sockets.size, { timeout: 10_000 }).toBe(0)
  })
})

describe('a session', () => {
  const sasl: SaslOptions = { mechanism: 'PLAIN', username: 'user', password: 'secret' }

  /** Counts logins; each opens a session of this length. */
  async function sessionsOf(lifeMs: number): Promise<FakeBroker & { readonly logins: () => number }> {
    let logins = 0
    const broker = await brokerThat(({ apiKey, correlationId }, socket) => {
      if (apiKey !== apiKeys['SaslAuthenticate']) return false
      logins++
      const answer = Buffer.alloc(14)
      answer[4] = 1
      answer.writeBigInt64BE(BigInt(lifeMs), 5)
      socket.write(frameOf(correlationId, answer))
      return true
    })
    return { ...broker, sockets: broker.sockets, logins: () => logins }
  }

  test('of a year is one login, and replaced when 80 % of it are over', async () => {
    const broker = await sessionsOf(365 * dayMs)
    const clock = new ManualClock()
    const driver = driverOf(broker, { clock, sasl })
    for (let request = 0; request < 10; request++) await driver.metadata([])
    expect(broker.logins()).toBe(1)
    await clock.advanceAsync(292 * dayMs - 1)
    await driver.metadata([])
    expect(broker.logins()).toBe(1)
    await clock.advanceAsync(1)
    await driver.metadata([])
    expect(broker.logins()).toBe(2)
    await expect.poll(() => broker.sockets.size, { timeout: 10_000 }).toBe(1)
  })

  test('leaves no timer behind when the broker hangs up, or the driver is closed', async () => {
    const broker = await sessionsOf(dayMs)
    const clock = new ManualClock()
    const driver = driverOf(broker, { clock, sasl })
    await driver.metadata([])
    expect(clock.pending).toBe(1)
    for (const socket of broker.sockets) socket.end()
    await expect.poll(() => clock.pending, { timeout: 10_000 }).toBe(0)
    await driver.metadata([])
    expect(clock.pending).toBe(1)
    await driver.close()
    expect(clock.pending).toBe(0)
  })

  test('does not keep a process that has closed everything', async () => {
    const broker = await sessionsOf(dayMs)
    const program = fileURLToPath(new URL('testing/log-in-and-close.ts', import.meta.url))
    const child = spawn(process.execPath, ['--conditions=@sluice/source', program, `127.0.0.1:${broker.port}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit')
    try {
      await once(child.stdout, 'data')
      for (const socket of broker.sockets) socket.end()
      await expect.poll(() => broker.sockets.size, { timeout: 10_000 }).toBe(0)
      child.stdin.write('go on\n')
      await once(child.stdout, 'data')
      expect(await ended).toEqual([0, null])
    } finally {
      child.kill('SIGKILL')
    }
  })
})
