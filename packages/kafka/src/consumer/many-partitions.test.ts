import { describe, expect, test, vi } from 'vitest'
import { openSession } from './testing/open-session.ts'

/** A consumer of 1,000 partitions of one broker, all of them read to their end. */
async function openIdle() {
  const seen: number[] = []
  const opened = await openSession(({ timestampMs }) => void seen.push(opened.broker.clock.now() - timestampMs), {
    partitions: 1_000,
  })
  const { broker, session, pass } = opened
  broker.assign(
    'letters',
    Array.from({ length: 1_000 }, (_, partition) => partition),
  )
  await session.start()
  await pass(1_000)
  return { ...opened, latencies: seen }
}

describe('1,000 idle partitions of one broker', () => {
  test('are asked for at most five times a second, all in each request', async () => {
    const { broker, pass, close } = await openIdle()
    const before = broker.fetches.length
    await pass(2_000)
    const fetches = broker.fetches.slice(before)
    expect(fetches.length).toBeLessThanOrEqual(10)
    expect(fetches.length).toBeGreaterThanOrEqual(4)
    expect(fetches.every(({ partitions }) => partitions.length === 1_000)).toBe(true)
    expect(fetches.every(({ maxBytes }) => maxBytes <= 4 * 1_024 * 1_024)).toBe(true)
    await close()
  })

  test('deliver a record within 100 ms, whichever partition it comes to', async () => {
    const { broker, pass, close, latencies } = await openIdle()
    for (const partition of [999, 500, 64, 0, 731]) {
      broker.write('letters', partition, ['a'])
      await pass(100)
    }
    expect(latencies).toHaveLength(5)
    expect(Math.max(...latencies)).toBeLessThan(100)
    await close()
  })

  test('are left out of most fetches while another has records, and still deliver within 100 ms', async () => {
    const { broker, pass, close, latencies } = await openIdle()
    const before = broker.fetches.length
    const values = Array.from({ length: 20 }, () => 'a'.repeat(2_000))
    for (let batch = 0; batch < 100; batch++) broker.write('letters', 0, values)
    await pass(30)
    broker.write('letters', 731, ['b'])
    await pass(100)
    const fetches = broker.fetches.slice(before)
    const asked = fetches.reduce((sum, { partitions }) => sum + partitions.length, 0)
    expect(latencies).toHaveLength(100 * 20 + 1)
    expect(fetches.length).toBeGreaterThan(10)
    expect(asked / fetches.length).toBeLessThan(500)
    expect(Math.max(...latencies)).toBeLessThan(100)
    await close()
  })
})

test('1,000 idle partitions are asked for ten times a second while another waits for room', async () => {
  const latencies: number[] = []
  const stuck = new Promise<void>(() => {})
  const { broker, session, pass, close } = await openSession(
    ({ partition, timestampMs }) => {
      if (partition === 0) return stuck
      latencies.push(broker.clock.now() - timestampMs)
      return undefined
    },
    { partitions: 1_000 },
  )
  broker.assign(
    'letters',
    Array.from({ length: 1_000 }, (_, partition) => partition),
  )
  for (let batch = 0; batch < 100; batch++)
    broker.write(
      'letters',
      0,
      Array.from({ length: 100 }, () => 'a'),
    )
  await session.start()
  await pass(500)
  const before = broker.fetches.length
  await pass(500)
  broker.write('letters', 731, ['b'])
  await pass(500)
  const fetches = broker.fetches.slice(before)
  expect(fetches.length).toBeGreaterThanOrEqual(8)
  expect(fetches.length).toBeLessThanOrEqual(12)
  expect(latencies).toHaveLength(1)
  expect(latencies[0]).toBeLessThan(150)
  await close()
})

test('the positions of thousands of partitions are looked up some at a time', async () => {
  const { broker, session, pass, close } = await openSession(() => undefined, { partitions: 2_500 })
  const fetchOffsets = vi.spyOn(broker.driver, 'fetchOffsets')
  broker.assign(
    'letters',
    Array.from({ length: 2_500 }, (_, partition) => partition),
  )
  await session.start()
  await pass(500)
  const asked = fetchOffsets.mock.calls
    .filter(([, { memberId }]) => memberId !== null)
    .map(([, { topics }]) => topics!.reduce((sum, { partitions }) => sum + partitions.length, 0))
  expect(asked).toEqual([1_000, 1_000, 500])
  expect(broker.fetches.at(-1)!.partitions).toHaveLength(2_500)
  await close()
})
