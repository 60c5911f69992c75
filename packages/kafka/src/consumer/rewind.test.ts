import { describe, expect, test } from 'vitest'
import { openSession } from './testing/open-session.ts'

/** Notes each value; the call of this number, from 1, ends when the test says so. */
function stopping(atCall: number) {
  const values: string[] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const handler = ({ value }: { value: string }): unknown => {
    values.push(value)
    return values.length === atCall ? promise : undefined
  }
  return { values, handler, end: resolve, fail: reject }
}

type Opened = Awaited<ReturnType<typeof openSession>>

function divergeOnce({ broker }: Opened, endOffset: number): void {
  broker.divergence = () => {
    broker.divergence = () => undefined
    return endOffset
  }
}

/** The log of four records parts before the last one, while the first is still being handled and the others are done. */
async function partBehindFinished(handler: ReturnType<typeof stopping>['handler']): Promise<Opened> {
  const opened = await openSession(handler, { partitions: 1, order: 'unordered' })
  const { broker, session, pass } = opened
  broker.write('letters', 0, ['a0', 'a1', 'a2', 'a3'])
  broker.assign('letters', [0])
  await session.start()
  await pass(1_300)
  divergeOnce(opened, 3)
  await pass(300)
  return opened
}

const nothingHeld = { heldRecords: 0, heldBytes: 0, expandedBytes: 0 }

describe('a log that parts from what was read of it', () => {
  test('does not commit past a record whose handler failed meanwhile', async () => {
    const { values, handler, fail } = stopping(1)
    const opened = await openSession(handler, { partitions: 1, concurrency: 1 })
    const { broker, session, pass, close, heard } = opened
    broker.write('letters', 0, ['a0', 'a1', 'a2'])
    broker.assign('letters', [0])
    await session.start()
    await pass(300)
    divergeOnce(opened, 2)
    await pass(300)
    fail(new Error('no'))
    await pass(3_000)
    expect(values).toEqual(['a0', 'a0', 'a1', 'a2'])
    expect(broker.committedOf('letters', 0)).toBe(3)
    expect(heard('handlerAbandoned')).toEqual([])
    expect(session.inspect().dispatcher).toMatchObject({ running: 0, abandoned: 0 })
    expect(session.inspect().gate.records).toBe(0)
    expect(session.inspect().partitions[0]).toMatchObject(nothingHeld)
    await close()
  })

  test('brings nothing again that was finished before where it parts', async () => {
    const { values, handler, end } = stopping(1)
    const { broker, session, pass, close } = await partBehindFinished(handler)
    end()
    await pass(3_000)
    expect(values).toEqual(['a0', 'a1', 'a2', 'a3', 'a3'])
    expect(broker.committedOf('letters', 0)).toBe(4)
    expect(session.inspect().gate.records).toBe(0)
    await close()
  })

  test('brings again what had not ended when it parted, and nothing after that which had', async () => {
    const { values, handler, fail } = stopping(1)
    const { broker, pass, close } = await partBehindFinished(handler)
    fail(new Error('no'))
    await pass(3_000)
    expect(values).toEqual(['a0', 'a1', 'a2', 'a3', 'a0', 'a3'])
    expect(broker.committedOf('letters', 0)).toBe(4)
    await close()
  })

  test('gives back what the call holds that it had to give up', async () => {
    const { values, handler, end } = stopping(2)
    const opened = await openSession(handler, { partitions: 1, rebalanceTimeoutMs: 2_000, handlerTimeoutMs: Infinity })
    const { broker, session, pass, close, heard } = opened
    broker.write('letters', 0, ['a0', 'a1', 'a2'], 'gzip')
    broker.assign('letters', [0])
    await session.start()
    await pass(300)
    divergeOnce(opened, 2)
    await pass(3_000)
    expect(heard('handlerAbandoned')).toHaveLength(1)
    expect(values).toEqual(['a0', 'a1', 'a1', 'a2'])
    expect(session.inspect().dispatcher).toMatchObject({ running: 0, abandoned: 1 })
    expect(session.inspect().gate).toMatchObject({ records: 0, expandedBytes: 0 })
    expect(session.inspect().partitions[0]).toMatchObject(nothingHeld)
    end()
    await pass(1_100)
    expect(session.inspect().dispatcher.abandoned).toBe(0)
    expect(broker.committedOf('letters', 0)).toBe(3)
    await close()
  })
})

test('a log that was cut and written again is read anew from there', async () => {
  const { values, handler, end } = stopping(1)
  const { broker, session, pass, close } = await openSession(handler, { partitions: 1, reset: 'latest' })
  broker.committed.set('letters/0', 0)
  broker.write('letters', 0, ['a0', 'a1'])
  broker.write('letters', 0, ['a2', 'a3', 'a4', 'a5'])
  broker.assign('letters', [0])
  await session.start()
  await pass(300)
  broker.createTopic('letters', 1)
  broker.write('letters', 0, ['a0', 'a1', 'a2', 'a3'])
  await pass(600)
  broker.write('letters', 0, ['B4', 'B5', 'B6'])
  await pass(600)
  end()
  await pass(1_500)
  expect(values).toEqual(['a0', 'a1', 'a2', 'a3', 'B4', 'B5', 'B6'])
  expect(broker.committedOf('letters', 0)).toBe(7)
  await close()
})
