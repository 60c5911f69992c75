import { describe, expect, test } from 'vitest'
import { openConsumer } from './testing/open-consumer.ts'
import { openSession } from './testing/open-session.ts'
import { TimeLimit } from '../time-limit.ts'

type Opened = Awaited<ReturnType<typeof openSession>>

const STEP_MS = 100

/** Closes, and says how long that took by the clock of the test. */
async function timeClosing({ broker, session, pass }: Opened, timeoutMs: number) {
  const closing = session.close(new TimeLimit(broker.clock, timeoutMs))
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
    expect(tookMs).toBeLessThanOrEqual(1_500)
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
    expect(broker.clock.monotonicMs() - startMs).toBeLessThanOrEqual(1_500)
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
    expect(tookMs).toBeLessThanOrEqual(1_500)
    expect(report?.uncommitted).toEqual([{ topic: 'letters', partition: 0, offset: 1 }])
  })

  test('while a heartbeat is not answered: the leave is sent behind it', async () => {
    const opened = await openSession(() => undefined)
    const { broker, session, pass } = opened
    broker.assign('letters', [0])
    await session.start()
    await pass(500)
    broker.heartbeatDelayMs = 25_000
    await pass(6_000)
    const { tookMs } = await timeClosing(opened, 1_000)
    expect(tookMs).toBeLessThanOrEqual(1_500)
    expect(broker.heartbeats.at(-1)?.memberEpoch).toBe(-1)
  })

  test('while the leave is not answered', async () => {
    const opened = await openSession(() => undefined)
    const { broker, session, pass } = opened
    await session.start()
    await pass(500)
    broker.heartbeatDelayMs = 25_000
    const { tookMs } = await timeClosing(opened, 1_000)
    expect(tookMs).toBeLessThanOrEqual(1_500)
  })

  test('while handlers hang, and neither commit nor leave is answered', async () => {
    const opened = await openSession(({ value }) => (value === 'b' ? new Promise(() => {}) : undefined), {
      handlerTimeoutMs: Infinity,
    })
    const { broker, session, pass } = opened
    broker.assign('letters', [0])
    await session.start()
    await pass(500)
    broker.commitDelayMs = 25_000
    broker.heartbeatDelayMs = 25_000
    broker.write('letters', 0, ['a', 'b'])
    await pass(200)
    const { tookMs, report } = await timeClosing(opened, 1_000)
    expect(tookMs).toBeLessThanOrEqual(1_500)
    expect(report).toEqual({ abandonedHandlers: 1, uncommitted: [{ topic: 'letters', partition: 0, offset: 1 }] })
  })

  test('of which half a second is left for the commit and the leave where handlers have used it up', async () => {
    const opened = await openSession(({ value }) => (value === 'b' ? new Promise(() => {}) : undefined), {
      handlerTimeoutMs: Infinity,
    })
    const { broker, session, pass } = opened
    broker.assign('letters', [0])
    await session.start()
    await pass(500)
    broker.write('letters', 0, ['a', 'b'])
    await pass(100)
    broker.commitDelayMs = 50
    broker.heartbeatDelayMs = 50
    const { report } = await timeClosing(opened, 0)
    expect(report).toEqual({ abandonedHandlers: 1, uncommitted: [] })
    expect(broker.committedOf('letters', 0)).toBe(1)
    expect(broker.heartbeats.at(-1)?.memberEpoch).toBe(-1)
  })

  test('and no heartbeat follows the leave, whatever was being looked up', async () => {
    const opened = await openSession(() => undefined)
    const { broker, session, pass } = opened
    await session.start()
    await pass(500)
    broker.driver.findCoordinator = async () => {
      await broker.clock.sleep(5_000)
      return { id: 1, host: 'simulated', port: 9092 }
    }
    broker.heartbeatFate = ({ memberEpoch }) => (memberEpoch > 0 ? 'NOT_COORDINATOR' : undefined)
    await pass(7_000)
    const before = broker.heartbeats.length
    await timeClosing(opened, 1_000)
    await pass(30_000)
    expect(broker.heartbeats.slice(before).map(({ memberEpoch }) => memberEpoch)).toEqual([-1])
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
