import { ManualClock } from '@sluice/flow'
import { Emitter } from '@sluice/flow/internal'
import { describe, expect, test, vi } from 'vitest'
import { Cluster } from '../../cluster/cluster.ts'
import type { FetchResponse } from '../../driver/driver.ts'
import type { ConsumerEvents } from '../events.ts'
import { Fetcher, type FetcherOptions } from './fetcher.ts'
import { Intake } from './intake.ts'
import { parseConsumerOptions } from '../options.ts'
import { AssignedPartition } from '../partition.ts'
import { PartitionLog } from './partition-log.ts'
import { Tracker } from '../commit/tracker.ts'
import { Unreadables } from '../../incoming/unreadable.ts'
import { letters, openSession } from '../testing/open-session.ts'
import { SimulatedBroker } from '../testing/simulated-broker.ts'

/** A fetcher alone, of partition 0 of `letters`. */
async function openFetcher(options: Partial<FetcherOptions> = {}) {
  const clock = new ManualClock()
  const broker = new SimulatedBroker(clock)
  broker.createTopic(letters.name, 1)
  const cluster = new Cluster({ driver: broker.driver, clock, coordinatorTimeoutMs: 1_000, metadataMaxAgeMs: 1e9 })
  await cluster.refresh([letters.name])
  const settings = parseConsumerOptions({ group: 'readers', topics: [letters] })
  const intake = new Intake({ ...settings, onRoom: () => undefined })
  const partition = new AssignedPartition(letters, `id-of-${letters.name}`, 0, 0)
  const unreadables = new Unreadables({ policy: 'stop', limits: settings.limits, emit: () => {} })
  partition.log = new PartitionLog(partition, intake, new Tracker(0), unreadables)
  partition.phase = 'active'
  partition.position = 0
  intake.add(partition)
  const onFatal = vi.fn()
  const events = new Emitter<ConsumerEvents>()
  const shared = { cluster, settings, clock, events, intake, onFatal }
  const ignore = (): void => undefined
  const fetcher = new Fetcher({ ...shared, onRecords: ignore, onOutOfRange: ignore, onDiverged: ignore, ...options })
  return { clock, broker, cluster, intake, partition, fetcher, onFatal }
}

const nothing: FetchResponse = { throttleMs: 0, partitions: [] }

describe('a fetch', () => {
  test('that the broker fails for a reason it cannot name is tried again', async () => {
    const values: string[] = []
    const { broker, session, pass, close, heard, failures } = await openSession(({ value }) => values.push(value))
    broker.write('letters', 0, ['a'])
    broker.fetchFate = () => 'UNKNOWN_SERVER_ERROR'
    broker.assign('letters', [0])
    await session.start()
    await pass(5_000)
    expect(failures).toEqual([])
    expect(heard('error').length).toBeGreaterThan(1)
    expect(broker.fetches.length).toBeLessThan(20)
    broker.fetchFate = () => undefined
    await pass(2_000)
    expect(values).toEqual(['a'])
    await close()
  })

  test('that is not answered has its leader looked for again and again', async () => {
    const { clock, broker, cluster, partition, fetcher } = await openFetcher()
    broker.driver.fetch = () => new Promise(() => {})
    const refresh = vi.spyOn(cluster, 'refresh')
    fetcher.add(partition)
    for (let step = 0; step < 1_500; step++) await clock.advanceAsync(10)
    expect(refresh.mock.calls.length).toBeGreaterThanOrEqual(4)
    expect(refresh.mock.calls.length).toBeLessThan(10)
    fetcher.stop()
  })

  test('whose records cannot be handed on is settled once', async () => {
    const { clock, broker, intake, partition, fetcher, onFatal } = await openFetcher({
      onRecords: () => {
        throw new Error('a defect')
      },
    })
    onFatal.mockImplementation(() => fetcher.stop())
    broker.write('letters', 0, ['a'])
    fetcher.add(partition)
    await clock.advanceAsync(100)
    fetcher.stop()
    expect(onFatal).toHaveBeenCalledWith(expect.objectContaining({ message: 'a defect' }))
    expect(partition.usage).toMatchObject({ reservedBytes: 0, reservedRecords: 0, heldRecords: 1 })
    expect(intake.inspect().bytes).toBe(partition.usage.heldBytes)
  })

  test('that was throttled leaves no timer behind when fetching stops', async () => {
    const { clock, broker, partition, fetcher } = await openFetcher()
    const idle = clock.pending
    broker.driver.fetch = async () => ({ ...nothing, throttleMs: 60_000 })
    fetcher.add(partition)
    await clock.advanceAsync(100)
    expect(clock.pending).toBe(idle + 1)
    fetcher.stop()
    expect(clock.pending).toBe(idle)
  })
})
