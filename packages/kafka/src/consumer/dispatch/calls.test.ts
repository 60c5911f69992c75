// Objects with a `then` are what is tested here.
/* oxlint-disable unicorn/no-thenable */
import { expect, test } from 'vitest'
import { openSession } from '../testing/open-session.ts'

type Settle = (value?: unknown) => void

/** An object whose `then` is this function. */
const thenable = (then: (resolve: Settle, reject: Settle) => unknown): unknown => ({ ['then']: then })
const throwing = (): never => {
  throw new Error('a bad thenable')
}

test.each<[string, () => unknown]>([
  ['whose then throws', () => thenable(throwing)],
  ['whose then is a getter that throws', () => Object.defineProperty({}, 'then', { get: throwing })],
  ['that rejects, and then resolves', () => thenable((resolve, reject) => (reject(new Error('no')), resolve()))],
  ['that is a proxy of a promise', () => new Proxy(Promise.resolve(), {})],
])('a handler that returns a thenable %s has failed, and its record is tried again', async (_, returned) => {
  const { broker, session, pass, heard, failures, close } = await openSession(
    (_record, { attempt }) => (attempt === 1 ? returned() : undefined),
    { concurrency: 1, partitions: 1, retry: { attempts: 2, initialMs: 10 } },
  )
  broker.write('letters', 0, ['a', 'b'])
  broker.assign('letters', [0])
  await session.start()
  await pass(2_000)
  expect(failures).toEqual([])
  expect(heard('handlerFailed')).toHaveLength(2)
  expect(broker.committedOf('letters', 0)).toBe(2)
  expect(session.inspect().dispatcher.running).toBe(0)
  await close()
})

test('a handler whose thenable settles several times is done once', async () => {
  const { broker, session, pass, heard, failures, close } = await openSession(
    () => thenable((resolve, reject) => (resolve(), resolve(), reject(new Error('late')), throwing())),
    { concurrency: 1, partitions: 1 },
  )
  broker.write('letters', 0, ['a', 'b'])
  broker.assign('letters', [0])
  await session.start()
  await pass(2_000)
  expect([failures, heard('handlerFailed')]).toEqual([[], []])
  expect(broker.committedOf('letters', 0)).toBe(2)
  expect(session.inspect().dispatcher).toMatchObject({ running: 0, handledRecords: 2 })
  await close()
})

test('a handler whose thenable never settles is given up at its time', async () => {
  const { broker, session, pass, heard, close } = await openSession(() => thenable(() => {}), {
    partitions: 1,
    handlerTimeoutMs: 100,
    abandonAfterMs: 100,
    retry: { attempts: 5, initialMs: 10_000 },
  })
  broker.write('letters', 0, ['a'])
  broker.assign('letters', [0])
  await session.start()
  await pass(1_000)
  expect([heard('handlerTimedOut').length, heard('handlerAbandoned').length]).toEqual([1, 1])
  await close()
})
