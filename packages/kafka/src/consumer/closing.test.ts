import { describe, expect, test } from 'vitest'
import { openConsumer } from './testing/open-consumer.ts'
import { openSession } from './testing/open-session.ts'

type Opened = Awaited<ReturnType<typeof openSession>>

const STEP_MS = 500

/** Closes, and says how long that took by the clock of the test. */
async function timeClosing({ session, pass }: Opened, timeoutMs: number) {
  const closing = session.close(timeoutMs)
  let isClosed = false
  void closing.then(() => (isClosed = true))
  let tookMs = 0
  while (!isClosed && tookMs < 30_000) {
    await pass(STEP_MS)
    tookMs += STEP_MS
  }
  return { tookMs, report: isClosed ? await closing : undefined }
}

describe('closing takes no longer than it may', () => {
  test('while partitions that the group wants back wait for their handlers', async () => {
    const opened = await openSession(() => new Promise(() => {}), { handlerTimeoutMs: Infinity })
    const { broker, session, pass, heard } = opened
    broker.write('letters', 0, ['a'])
    broker.assign('letters', [0, 1])
    await session.start()
    await pass(500)
    broker.assign('letters', [1])
    await pass(1_000)
    const { tookMs, report } = await timeClosing(opened, 1_000)
    expect(tookMs).toBeLessThanOrEqual(2_000)
    expect(report?.abandonedHandlers).toBe(1)
    expect(heard('handlerAbandoned')).toHaveLength(1)
    expect(broker.heartbeats.at(-1)?.memberEpoch).toBe(-1)
  })

  test('and tells of handlers that a revocation gave up meanwhile', async () => {
    const opened = await openSession(() => new Promise(() => {}), {
      handlerTimeoutMs: Infinity,
      rebalanceTimeoutMs: 4_000,
    })
    const { broker, session, pass } = opened
    broker.write('letters', 0, ['a'])
    broker.assign('letters', [0, 1])
    await session.start()
    await pass(500)
    broker.assign('letters', [1])
    await pass(1_500)
    const { report } = await timeClosing(opened, 10_000)
    expect(report).toEqual({ abandonedHandlers: 1, uncommitted: [] })
  })

  test('and tells of failures that did not get to their dead letter', async () => {
    const { broker, consumer, pass, settled } = await openConsumer({ partitions: 1, retry: { attempts: 1 } })
    broker.write('letters', 0, ['a', 'b'])
    broker.assign('letters', [0])
    const running = consumer.run(() => Promise.reject(new Error('no')))
    await pass(1_000)
    expect(consumer.inspect().dispatcher).toMatchObject({ diverting: 1, running: 0 })
    const startMs = broker.clock.monotonicMs()
    expect(await settled(consumer.close({ timeoutMs: 1_000 }))).toEqual({ abandonedHandlers: 1, uncommitted: [] })
    expect(broker.clock.monotonicMs() - startMs).toBeLessThanOrEqual(3_000)
    await running
    expect(broker.committedOf('letters', 0)).toBe(0)
  })

  test('while a commit is not answered', async () => {
    const opened = await openSession(() => undefined)
    const { broker, session, pass } = opened
    broker.assign('letters', [0])
    await session.start()
    await pass(500)
    broker.commitDelayMs = 25_000
    broker.write('letters', 0, ['a'])
    await pass(1_500)
    const { tookMs, report } = await timeClosing(opened, 1_000)
    expect(tookMs).toBeLessThanOrEqual(3_000)
    expect(report?.uncommitted).toEqual([{ topic: 'letters', partition: 0, offset: 1 }])
  })

  test('and much less where the commit is refused for good', async () => {
    const opened = await openSession(() => undefined)
    const { broker, session, pass } = opened
    broker.assign('letters', [0])
    await session.start()
    await pass(500)
    broker.commitFate = () => 'TOPIC_AUTHORIZATION_FAILED'
    broker.write('letters', 0, ['a'])
    await pass(100)
    const { tookMs, report } = await timeClosing(opened, 30_000)
    expect(tookMs).toBeLessThanOrEqual(2 * STEP_MS)
    expect(report?.uncommitted).toEqual([{ topic: 'letters', partition: 0, offset: 1 }])
  })
})
