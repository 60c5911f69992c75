import { SluiceError } from '@sluice/flow'
import fc from 'fast-check'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SaslOptions } from './connect-options.ts'
import { openDriver } from './open.ts'
import { apiKeys, driverCalls } from './testing/driver-calls.ts'
import { fakeBroker, frameOf, type FakeBroker, type ReceivedRequest } from './testing/fake-broker.ts'
import { mutated, mutations } from './testing/mutation.ts'
import { recordedAnswers } from './testing/recorded-answers.ts'

/** 600 frames; 40,000 in `npm run test:long`, besides those of `parsers.fuzz.test.ts`. */
const runs = process.env['SLUICE_LONG_RUNS'] ? Number(process.env['SLUICE_LONG_RUNS']) / 10 : 15

/** Every request ends by this. */
const timeoutMs = 200

/** Generous: the machine may have other work. */
const hangsAfterMs = 20_000

const credentials = { username: 'user', password: 'secret' }
const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'OAUTHBEARER'] as const
const names = Object.fromEntries(
  Object.keys(recordedAnswers).map((name) => {
    const [api, version] = name.split(' ')
    return [`${apiKeys[api!]} ${version}`, name]
  }),
)

/** A call, what is done to the answers of one API meanwhile, and how the broker goes on. */
const attempt = fc.record({
  call: fc.constantFrom(...Object.keys(driverCalls)),
  target: fc.option(fc.constantFrom('ApiVersions 3', 'SaslHandshake 1', 'SaslAuthenticate 2'), { freq: 5 }),
  changes: mutations,
  garbage: fc.option(fc.uint8Array({ maxLength: 60 }), { freq: 10 }),
  hangsUp: fc.boolean(),
  mechanism: fc.option(fc.constantFrom(...mechanisms), { freq: 4 }),
})

type Attempt = typeof attempt extends fc.Arbitrary<infer Value> ? Value : never

let broker: FakeBroker
/** By client id: what each driver's connections meet. */
const attempts = new Map<string, Attempt>()
const escaped: unknown[] = []
const onEscaped = (error: unknown): void => void escaped.push(error)

beforeAll(async () => {
  broker = await fakeBroker(answer)
  process.on('uncaughtExceptionMonitor', onEscaped)
})

afterAll(async () => {
  process.off('uncaughtExceptionMonitor', onEscaped)
  await broker.close()
})

function answer({ apiKey, version, correlationId, bytes }: ReceivedRequest, socket: Socket): void {
  const clientId = bytes.toString('utf8', 10, 10 + bytes.readInt16BE(8))
  const one = attempts.get(clientId)
  // Sent before its driver was closed.
  if (!one) return
  const { call, target, changes, garbage, hangsUp } = one
  const name = names[`${apiKey} ${version}`]!
  const frame = frameOf(correlationId, recordedAnswers[name]!)
  if (name !== (target ?? call)) return void socket.write(frame)
  socket.write(garbage ? Buffer.from(garbage) : mutated(frame, changes))
  if (hangsUp) socket.end()
}

async function outcomeOf(one: Attempt, clientId: string): Promise<unknown> {
  attempts.set(clientId, one)
  const { mechanism } = one
  const sasl: SaslOptions | undefined = mechanism ? { mechanism, ...credentials, token: 'token' } : undefined
  const node = { id: 1, host: '127.0.0.1', port: broker.port }
  const timeouts = { connectTimeoutMs: timeoutMs, requestTimeoutMs: timeoutMs }
  const driver = openDriver({ bootstrap: [node], clientId, maxResponseBytes: 1_000_000, ...timeouts, sasl })
  const outcome = await driverCalls[one.call]!(driver, node).catch((error: unknown) => error)
  await driver.close()
  attempts.delete(clientId)
  return outcome
}

test('whatever a broker sends, each request ends in time, by an answer or an error of ours', async () => {
  const property = fc.asyncProperty(fc.array(attempt, { minLength: 40, maxLength: 40 }), async (all) => {
    const outcomes = Promise.all(all.map((one, index) => outcomeOf(one, `client ${index}`)))
    const hung = Promise.withResolvers<never>()
    const timer = setTimeout(() => hung.reject(new Error('a request hangs')), hangsAfterMs)
    for (const outcome of await Promise.race([outcomes, hung.promise]).finally(() => clearTimeout(timer))) {
      if (outcome instanceof Error) expect(outcome).toBeInstanceOf(SluiceError)
    }
    expect(escaped).toEqual([])
  })
  await fc.assert(property, { numRuns: runs, endOnFailure: true })
  await expect.poll(() => broker.sockets.size, { timeout: hangsAfterMs }).toBe(0)
}, 900_000)
