import { ManualClock } from '@sluice/flow'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Cluster } from '../cluster/cluster.ts'
import { text } from '../codecs/text.ts'
import type { UnreadableRange } from '../incoming/unreadable.ts'
import { badBatches } from '../consumer/testing/bad-batches.ts'
import { SimulatedBroker } from '../consumer/testing/simulated-broker.ts'
import { topic } from '../record/topic.ts'
import type { ReaderOptions } from './options.ts'
import { Reader } from './reader.ts'

const letters = topic('letters', { value: text })
const limits = { maxDecodedBytes: 65_536, maxHeaders: 10 }

afterEach(() => void vi.restoreAllMocks())

async function open(options: Partial<ReaderOptions<typeof letters>> = {}) {
  const clock = new ManualClock()
  const broker = new SimulatedBroker(clock)
  broker.createTopic('letters', 1)
  const cluster = new Cluster({ driver: broker.driver, clock, coordinatorTimeoutMs: 1_000, metadataMaxAgeMs: 1e9 })
  const start = () => Reader.open(cluster, { topics: [letters], ...limits, ...options }, clock)
  return { broker, start }
}

async function readAll(reader: Reader<typeof letters>): Promise<string[]> {
  const seen: string[] = []
  for await (const { offset, value } of reader) seen.push(`${offset} ${value}`)
  return seen
}

describe('a reader passes over what cannot be read', () => {
  test.each(Object.keys(badBatches()))('(%s), tells it, and goes on', async (what) => {
    const { broker, start } = await open()
    broker.write('letters', 0, ['a', 'b'])
    broker.writeBytes('letters', 0, 3, badBatches()[what]!)
    broker.write('letters', 0, ['c'])
    broker.writeBytes('letters', 0, 3, badBatches()[what]!)
    const reader = await start()
    const told: UnreadableRange[] = []
    reader.on('unreadable', (event) => told.push(event))
    expect(await readAll(reader)).toEqual(['0 a', '1 b', '5 c'])
    const ranges = told.map(({ offset, endOffset }) => Array.from({ length: endOffset - offset }, (_, i) => offset + i))
    expect(ranges.flat()).toEqual([2, 3, 4, 6, 7, 8])
    expect(reader.inspect()).toMatchObject({ left: 0, fetchedBytes: 0, unreadable: [{ skipped: told.length }] })
  })

  test.each([0, 1])('with a warning of the process where nobody listens (listeners: %i)', async (listeners) => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const { broker, start } = await open()
    broker.writeBytes('letters', 0, 3, badBatches()['a bomb']!)
    const reader = await start()
    if (listeners > 0) reader.on('unreadable', () => {})
    expect(await readAll(reader)).toEqual([])
    expect(warned).toHaveBeenCalledTimes(1 - listeners)
  })

  test.each(Object.keys(badBatches()))("(%s) only while `unreadable` is not 'stop'", async (what) => {
    const { broker, start } = await open({ unreadable: 'stop' })
    broker.writeBytes('letters', 0, 3, badBatches()[what]!)
    await expect(readAll(await start())).rejects.toMatchObject({ code: 'batch_unreadable', offset: 0 })
  })

  test('and fetches a batch with a bad checksum once more first', async () => {
    const { broker, start } = await open()
    broker.write('letters', 0, ['a', 'b'])
    broker.write('letters', 0, ['c', 'd'])
    broker.spoil = (records) => (records[records.length - 1]! ^= 1)
    expect(await readAll(await start())).toEqual(['0 a', '1 b', '2 c', '3 d'])
  })

  test('and gives out a batch of many records a thousand at a time, and goes on in its middle', async () => {
    const { broker, start } = await open()
    const values = Array.from({ length: 2_500 }, (_, i) => `v${i}`)
    broker.write('letters', 0, values, 'zstd')
    const reader = await start()
    const lengths: number[] = []
    for await (const records of reader.batches()) {
      lengths.push(records.length)
      if (lengths.length === 1) break
    }
    expect(reader.positions()).toMatchObject([{ offset: 1_000 }])
    for await (const records of reader.batches()) lengths.push(records.length)
    expect(lengths).toEqual([1_000, 1_000, 500])
    expect(reader.inspect()).toMatchObject({ left: 0, fetchedBytes: 0 })
  })
})
