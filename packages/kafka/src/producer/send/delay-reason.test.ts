import { describe, expect, test } from 'vitest'
import type { DeliveryError } from '../../errors.ts'
import { letters, openProducer } from '../testing/open-producer.ts'

const options = { lingerMs: 0, deliveryTimeoutMs: 8_000 }
const prefix = 'letters/0: not acknowledged within 8000 ms: '

describe('what was given up says why it waited', () => {
  test('a partition without a leader', async () => {
    const { cluster, send, pass } = await openProducer(options)
    cluster.lead(letters.name, 0, -1)
    cluster.learn([letters.name])
    const a = send('a')
    await pass(8_100)
    expect(a.error!.message).toBe(
      `${prefix}LEADER_NOT_AVAILABLE (topic letters, partition 0): the partition has no leader`,
    )
    expect(a.error!.cause).toMatchObject({ apiError: 'LEADER_NOT_AVAILABLE', topic: 'letters', partition: 0 })
  })

  test('a partition without a leader, and no broker that could say more', async () => {
    const { cluster, send, pass } = await openProducer(options)
    cluster.lead(letters.name, 0, -1)
    cluster.learn([letters.name])
    cluster.refreshError = new Error('nobody listens at 10.0.0.1:9092')
    const a = send('a')
    await pass(8_100)
    expect(a.error!.message).toContain(
      'has no leader, and the metadata could not be refreshed: nobody listens at 10.0.0.1:9092',
    )
    expect((a.error!.cause as Error).cause).toBe(cluster.refreshError)
  })

  test('a broker that has not answered yet', async () => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 0, deliveryTimeoutMs: 200 })
    cluster.fate = () => 'frozen'
    const a = send('a')
    await pass(210)
    expect((a.error as DeliveryError).outcome).toBe('unknown')
    expect(a.error!.message).toMatch(/Produce was not answered by simulated:1 within 20\d ms$/)
    expect(a.error!.cause).toMatchObject({ code: 'request_timed_out', address: 'simulated:1' })
  })

  test('a broker that cannot be reached, also of what stands behind the head', async () => {
    const { cluster, send, pass } = await openProducer({ ...options, batchBytes: 200 })
    cluster.fate = () => 'unreachable'
    const sent = ['a', 'b', 'c'].map((value) => send(value.repeat(120)))
    await pass(8_100)
    for (const { error } of sent) {
      expect(error!.message).toContain('nobody listens')
      expect(error!.cause).toMatchObject({ code: 'connection_failed', address: 'simulated:1' })
    }
  })

  test('a broker whose requests fail with another partition in them', async () => {
    const { cluster, send, pass } = await openProducer({ ...options, maxInFlightRequests: 1 }, { partitions: 2 })
    cluster.fate = () => 'unreachable'
    send('a', 0)
    await pass(7_900)
    const b = send('b', 1)
    await pass(8_100)
    expect(b.error!.message).toContain('nobody listens')
  })

  test('a topic whose partitions no broker has told', async () => {
    const { cluster, send, pass } = await openProducer(options, { isKnown: false })
    cluster.refresh = () => new Promise(() => {})
    const a = send('a')
    await pass(8_100)
    expect(a.error!.message).toMatch(/^letters: not acknowledged within 8000 ms: no broker has told the partitions/)
    expect(a.error!.cause).toMatchObject({ code: 'cluster_timed_out' })
  })

  test('a queue that stays full', async () => {
    const { cluster, send, pass } = await openProducer({ ...options, queue: { maxRecords: 1, maxWaitMs: 100 } })
    cluster.fate = () => 'unreachable'
    send('a')
    await pass(50)
    const b = send('b')
    await pass(200)
    expect(b.error!.message).toBe('no room within 100 ms: nobody listens')
    expect(b.error!.cause).toMatchObject({ address: 'simulated:1' })
  })

  test('what close gives up', async () => {
    const { cluster, producer, send, pass } = await openProducer(options)
    cluster.lead(letters.name, 0, -1)
    cluster.learn([letters.name])
    const a = send('a')
    await pass(100)
    void producer.close({ timeoutMs: 500 })
    await pass(600)
    expect(a.error!.message).toContain('the producer was closed and 500 ms were over: LEADER_NOT_AVAILABLE')
  })
})
