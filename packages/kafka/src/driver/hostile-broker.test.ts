import { ManualClock, systemClock } from '@sluice/flow'
import type { Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { AuthenticationError, ConnectionError, ProtocolError } from '../errors.ts'
import type { SaslOptions } from './connect-options.ts'
import type { Driver } from './driver.ts'
import { openDriver } from './open.ts'
import { fakeBroker, frameOf, type FakeBroker, type ReceivedRequest } from './testing/fake-broker.ts'
import { apiKeys } from './testing/driver-calls.ts'
import { recordedAnswers } from './testing/recorded-answers.ts'

const maxResponseBytes = 1_000_000
const opened: { close(): Promise<unknown> }[] = []

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})

type Answering = (request: ReceivedRequest, socket: Socket) => void

async function brokerThat(react: Answering): Promise<FakeBroker> {
  const broker = await fakeBroker(react)
  opened.push(broker)
  return broker
}

/** Greets as a real broker does and leaves the rest to `react`. */
function afterGreeting(react: Answering): Answering {
  return (request, socket) => {
    if (request.apiKey !== apiKeys['ApiVersions']) return react(request, socket)
    socket.write(frameOf(request.correlationId, recordedAnswers['ApiVersions 3']!))
  }
}

function driverOf(port: number, sasl?: SaslOptions): Driver {
  const bootstrap = [{ host: '127.0.0.1', port }]
  const timeouts = { connectTimeoutMs: 10_000, requestTimeoutMs: 10_000 }
  const driver = openDriver({ bootstrap, clientId: 't', maxResponseBytes, ...timeouts, sasl, clock: systemClock })
  opened.unshift(driver)
  return driver
}

const failureOf = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error)

function sized(size: number, correlationId: number): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt32BE(size, 0)
  head.writeInt32BE(correlationId, 4)
  return head
}

describe('an answer whose size cannot be', () => {
  test.each([-1, 0, 3, -(2 ** 31), 2 ** 31 - 1, maxResponseBytes + 1])(
    '%i breaks the connection at once',
    async (size) => {
      const { port, sockets } = await brokerThat(
        afterGreeting(({ correlationId }, socket) => socket.write(sized(size, correlationId))),
      )
      const failure = await failureOf(driverOf(port).metadata([]))
      expect(failure).toBeInstanceOf(ConnectionError)
      expect(failure).toMatchObject({
        retriable: true,
        requestSent: true,
        message: expect.stringContaining(`it announces an answer of ${size} bytes, but 4 to ${maxResponseBytes}`),
      })
      await expect.poll(() => sockets.size).toBe(0)
    },
  )

  test('is not waited for at the greeting either', async () => {
    const { port } = await brokerThat((_, socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const failure = await failureOf(driverOf(port).metadata([]))
    expect(failure).toBeInstanceOf(ConnectionError)
    expect(failure).toMatchObject({ requestSent: false, message: expect.stringContaining('1213486160 bytes') })
  })

  test('ends all requests of its connection, with the reason', async () => {
    const { port } = await brokerThat(
      afterGreeting(({ correlationId }, socket) => {
        if (correlationId === 4) socket.write(sized(-1, 2))
      }),
    )
    const driver = driverOf(port)
    const failures = await Promise.all([1, 2, 3].map(() => failureOf(driver.metadata([]))))
    for (const failure of failures) {
      expect(failure).toMatchObject({ code: 'connection_failed', message: expect.stringContaining('of -1 bytes') })
    }
  })

  test('is refused for good when the same request meets it on ten connections', async () => {
    const { port } = await brokerThat(
      afterGreeting(({ correlationId }, socket) => socket.write(sized(maxResponseBytes + 1, correlationId))),
    )
    const driver = driverOf(port)
    for (let attempt = 1; attempt < 10; attempt++) await failureOf(driver.metadata([]))
    const failure = await failureOf(driver.metadata([]))
    expect(failure).toBeInstanceOf(ProtocolError)
    expect(failure).toMatchObject({ retriable: false, message: expect.stringContaining('maxResponseBytes') })
  })

  test('does not count what a fetch has asked for itself', async () => {
    const records = Buffer.alloc(maxResponseBytes + 5_000)
    const { port } = await brokerThat(
      afterGreeting(({ correlationId }, socket) => socket.write(frameOf(correlationId, fetchAnswer(records)))),
    )
    const driver = driverOf(port)
    const broker = { id: 1, host: '127.0.0.1', port }
    const request = { isolation: 'read_committed', maxWaitMs: 1, minBytes: 1, rackId: '', partitions: [] } as const
    expect(await failureOf(driver.fetch(broker, { ...request, maxBytes: 1_000 }))).toBeInstanceOf(ConnectionError)
    const { partitions } = await driver.fetch(broker, { ...request, maxBytes: 10_000 })
    expect(partitions[0]?.records?.length).toBe(records.length)
  })
})

/** One partition of one topic, with these records. */
function fetchAnswer(records: Buffer): Buffer {
  const length: number[] = []
  for (let left = records.length + 1; left > 0; left >>>= 7) length.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0))
  const partition = Buffer.concat([Buffer.alloc(4 + 2 + 24), Buffer.from([1]), Buffer.alloc(4), Buffer.from(length)])
  const head = Buffer.concat([Buffer.alloc(1 + 4 + 2 + 4), Buffer.from([2]), Buffer.alloc(16), Buffer.from([2])])
  return Buffer.concat([head, partition, records, Buffer.alloc(3)])
}

describe('an answer that nobody waits for', () => {
  test('breaks the connection, with the reason', async () => {
    const { port } = await brokerThat(
      afterGreeting((_, socket) => socket.write(frameOf(77, recordedAnswers['Metadata 12']!))),
    )
    const failure = await failureOf(driverOf(port).metadata([]))
    expect(failure).toMatchObject({ code: 'connection_failed', message: expect.stringContaining('correlation_id=77') })
  })
})

describe('a login', () => {
  const scram: SaslOptions = { mechanism: 'SCRAM-SHA-256', username: 'user', password: 'secret' }
  const plain: SaslOptions = { ...scram, mechanism: 'PLAIN' }

  /** An answer to SaslAuthenticate: its error, the words for it, and the bytes of the mechanism. */
  function authenticated(text: string, errorCode = 0, words = ''): Buffer {
    const answer = Buffer.concat([Buffer.from([0, 0, errorCode, words.length + 1]), Buffer.from(words)])
    return Buffer.concat([answer, Buffer.from([text.length + 1]), Buffer.from(text), Buffer.alloc(9)])
  }

  /** Says these texts for the messages of the mechanism, one after the other. */
  function loginSaying(...answers: readonly (string | Buffer)[]): Promise<FakeBroker> {
    let next = 0
    return brokerThat(
      afterGreeting(({ apiKey, correlationId }, socket) => {
        const answer = answers[next]
        if (apiKey === apiKeys['SaslHandshake']) {
          socket.write(frameOf(correlationId, recordedAnswers['SaslHandshake 1']!))
        } else if (answer !== undefined) {
          next++
          socket.write(frameOf(correlationId, typeof answer === 'string' ? authenticated(answer) : answer))
        }
      }),
    )
  }

  test.each(['', 'hello', 's=c2FsdA==,i=4096', 'r=x,s=c2FsdA==,i=4096', 'e=other-error'])(
    'is refused where the first SCRAM message of the server is %j',
    async (text) => {
      const { port } = await loginSaying(text)
      const failure = await failureOf(driverOf(port, scram).metadata([]))
      expect(failure).toBeInstanceOf(AuthenticationError)
      expect(failure).toMatchObject({ retriable: false, message: expect.stringMatching(/failed: .*SCRAM/) })
    },
  )

  test('tells the words of the broker', async () => {
    const { port } = await loginSaying(authenticated('', 58, 'Authentication failed: invalid credentials'))
    await expect(driverOf(port, plain).metadata([])).rejects.toMatchObject({
      code: 'authentication_failed',
      message: expect.stringContaining('refused the credentials: Authentication failed: invalid credentials'),
    })
  })

  test('tells what mechanisms there are', async () => {
    const { port } = await brokerThat(
      afterGreeting(({ correlationId }, socket) => {
        const answer = Buffer.from(recordedAnswers['SaslHandshake 1']!)
        answer.writeInt16BE(33)
        socket.write(frameOf(correlationId, answer))
      }),
    )
    await expect(driverOf(port, { ...plain, mechanism: 'SCRAM-SHA-512' }).metadata([])).rejects.toMatchObject({
      code: 'authentication_failed',
      message: expect.stringContaining('does not take SCRAM-SHA-512; it offers SCRAM-SHA-256, PLAIN'),
    })
  })

  test('with a NUL in the name is not sent, where it would become another name', async () => {
    const { port } = await loginSaying('')
    await expect(driverOf(port, { ...plain, username: 'a\0b' }).metadata([])).rejects.toMatchObject({
      code: 'authentication_failed',
      message: expect.stringContaining('NUL'),
    })
  })

  test('that is not answered ends with the time for a connection, the token callback with it', async () => {
    const { port, sockets } = await brokerThat(afterGreeting(() => {}))
    const bootstrap = [{ host: '127.0.0.1', port }]
    const timeouts = { connectTimeoutMs: 50, requestTimeoutMs: 10_000 }
    const driver = openDriver({ bootstrap, clientId: 't', maxResponseBytes, ...timeouts, sasl: plain })
    opened.unshift(driver)
    await expect(driver.metadata([])).rejects.toMatchObject({
      code: 'connection_failed',
      message: expect.stringContaining('took the connection but did not answer within 50 ms'),
    })
    await expect.poll(() => sockets.size).toBe(0)
  })

  test('whose token callback hangs says so, also where the time for the connection is over first', async () => {
    const clock = new ManualClock()
    const isAsked = Promise.withResolvers<void>()
    const token = (): Promise<string> => {
      isAsked.resolve()
      return new Promise(() => {})
    }
    const { port } = await brokerThat(
      afterGreeting(({ correlationId }, socket) => {
        // What the token's own time does not know of: 80 ms from here end behind the 100 ms of the connection.
        clock.advance(30)
        socket.write(frameOf(correlationId, recordedAnswers['SaslHandshake 1']!))
      }),
    )
    const timeouts = { connectTimeoutMs: 100, requestTimeoutMs: 10_000 }
    const sasl = { mechanism: 'OAUTHBEARER', token } as const
    const bootstrap = [{ host: '127.0.0.1', port }]
    const driver = openDriver({ bootstrap, clientId: 't', maxResponseBytes, ...timeouts, sasl, clock })
    opened.unshift(driver)
    const failure = failureOf(driver.metadata([]))
    await isAsked.promise
    clock.advance(70)
    expect(await failure).toMatchObject({
      code: 'token_failed',
      message: expect.stringContaining('the token callback took longer than 70 ms'),
    })
  })
})
