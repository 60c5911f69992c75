import { ManualClock } from '@sluice/flow'
import { describe, expect, test, vi } from 'vitest'
import { Cluster } from '../cluster/cluster.ts'
import { text } from '../codecs/text.ts'
import { SimulatedBroker } from '../consumer/testing/simulated-broker.ts'
import type { OffsetPlace } from '../record/places.ts'
import { topic } from '../record/topic.ts'
import type { ReaderOptions } from './options.ts'
import { Reader } from './reader.ts'

const letters = topic('letters', { value: text })

async function open(options: Partial<ReaderOptions<typeof letters>> = {}, partitions = 2) {
  const clock = new ManualClock()
  const broker = new SimulatedBroker(clock)
  broker.createTopic('letters', partitions)
  const cluster = new Cluster({ driver: broker.driver, clock, coordinatorTimeoutMs: 1_000, metadataMaxAgeMs: 1e9 })
  const start = (more: Partial<ReaderOptions<typeof letters>> = {}) =>
    Reader.open(cluster, { topics: [letters], ...options, ...more }, clock)
  return { clock, broker, start }
}

/** What a reader gives out until its end, as `partition/offset value`. */
async function readAll(reader: Reader<typeof letters>): Promise<string[]> {
  const seen: string[] = []
  for await (const { partition, offset, value } of reader) seen.push(`${partition}/${offset} ${value}`)
  return seen
}

describe('a reader', () => {
  test('gives out what the log held when it was opened, each partition in order, and ends', async () => {
    const { clock, broker, start } = await open()
    broker.write('letters', 0, ['a', 'b'])
    broker.write('letters', 1, ['x'])
    broker.fetchFate = () => 'KAFKA_STORAGE_ERROR'
    const reader = await start()
    broker.write('letters', 0, ['late'])
    broker.fetchFate = () => undefined
    const reading = readAll(reader)
    await clock.advanceAsync(1_000)
    expect((await reading).toSorted()).toEqual(['0/0 a', '0/1 b', '1/0 x'])
    expect(reader.inspect()).toMatchObject({ left: 0, fetchedBytes: 0 })
  })

  test('joins no group and commits nothing', async () => {
    const { broker, start } = await open()
    broker.write('letters', 0, ['a'])
    await readAll(await start())
    expect([broker.heartbeats, broker.commits]).toEqual([[], []])
  })

  test('of an empty topic ends at once', async () => {
    const { start, broker } = await open()
    expect(await readAll(await start())).toEqual([])
    expect(broker.fetches).toEqual([])
  })

  test.each<[string, ReaderOptions['from'], string[]]>([
    ['the latest', 'latest', []],
    ['an offset', { offset: 3 }, ['0/3 d', '0/4 e']],
    ['an offset past the end', { offset: 99 }, []],
    ['the last two', { last: 2 }, ['0/3 d', '0/4 e']],
    ['more than there are', { last: 99 }, ['0/0 a', '0/1 b', '0/2 c', '0/3 d', '0/4 e']],
    ['named offsets', { offsets: [{ topic: 'letters', partition: 0, offset: 4 }] }, ['0/4 e']],
  ])('begins from %s, in the middle of a batch too', async (_, from, expected) => {
    const { broker, start } = await open({ from }, 1)
    broker.write('letters', 0, ['a', 'b', 'c', 'd', 'e'])
    expect(await readAll(await start())).toEqual(expected)
  })

  test('reads only the partitions that it was told', async () => {
    const { broker, start } = await open({ partitions: [1] })
    broker.write('letters', 0, ['a'])
    broker.write('letters', 1, ['x'])
    expect(await readAll(await start())).toEqual(['1/0 x'])
  })

  test('that is left in the middle goes on behind the last batch it gave out, and says where that is', async () => {
    const { broker, start } = await open({}, 1)
    for (const value of ['a', 'b', 'c']) broker.write('letters', 0, [value])
    const reader = await start()
    for await (const records of reader.batches()) {
      expect(records.map(({ value }) => value)).toEqual(['a'])
      break
    }
    expect(reader.positions()).toEqual([{ topic: 'letters', partition: 0, offset: 1 }])
    expect(await readAll(reader)).toEqual(['0/1 b', '0/2 c'])
  })

  test('fetches no more than its budget while nobody reads', async () => {
    const { clock, broker, start } = await open({ maxBytes: 65_536 }, 1)
    for (let n = 0; n < 100; n++) broker.write('letters', 0, [`${n}`.padEnd(10_000)])
    const reader = await start()
    await clock.advanceAsync(5_000)
    expect(reader.inspect().fetchedBytes).toBeLessThan(200_000)
    expect(broker.fetches.length).toBeLessThan(20)
    expect(await readAll(reader)).toHaveLength(100)
    expect(reader.inspect().fetchedBytes).toBe(0)
  })

  test('that follows goes on with what comes until it is closed', async () => {
    const { clock, broker, start } = await open({ follow: true, from: 'latest' }, 1)
    broker.write('letters', 0, ['old'])
    const reader = await start()
    const seen: string[] = []
    const reading = (async () => {
      for await (const { value } of reader) seen.push(value!)
    })()
    broker.write('letters', 0, ['new'])
    await clock.advanceAsync(1_000)
    expect(seen).toEqual(['new'])
    await reader.close()
    await expect(reading).rejects.toMatchObject({ code: 'closed' })
  })

  test('that follows notices partitions that are added, however busy the others are', async () => {
    const { clock, broker, start } = await open({ follow: true }, 1)
    const reader = await start()
    const seen: string[] = []
    const reading = (async () => {
      for await (const { partition, value } of reader) seen.push(`${partition} ${value}`)
    })()
    broker.addPartition('letters')
    broker.write('letters', 1, ['early'])
    // So often that no answer is ever empty.
    for (let n = 0; n < 150; n++) {
      broker.write('letters', 0, ['a'])
      await clock.advanceAsync(100)
    }
    expect(seen).toContain('1 early')
    await reader.close()
    await expect(reading).rejects.toMatchObject({ code: 'closed' })
  })

  test('says which broker it waits for where nothing has failed', async () => {
    const { clock, broker, start } = await open({ patienceMs: 5_000 }, 1)
    broker.write('letters', 0, ['a'])
    broker.driver.fetch = () => new Promise(() => {})
    const reader = await start()
    const failure = vi.fn()
    const reading = readAll(reader).catch(failure)
    await clock.advanceAsync(8_000)
    expect(failure).toHaveBeenCalledWith(
      expect.objectContaining({
        message: 'letters/0 could not be read within 5000 ms: its leader simulated:9092 does not answer',
      }),
    )
    await reading
  })

  test('that is closed while it asks for partitions ends without the answer', async () => {
    const { clock, broker, start } = await open({ follow: true, from: 'latest' }, 1)
    const reader = await start()
    let asked = 0
    broker.driver.metadata = () => {
      asked++
      return new Promise(() => {})
    }
    const failure = vi.fn()
    const reading = readAll(reader).catch(failure)
    await clock.advanceAsync(12_000)
    expect(asked).toBe(1)
    await reader.close()
    await clock.advanceAsync(0)
    expect(failure).toHaveBeenCalledWith(expect.objectContaining({ code: 'closed' }))
    await reading
  })

  test('emits no error of what it asked for before it was closed', async () => {
    const { clock, broker, start } = await open({ follow: true, from: 'latest' }, 1)
    const reader = await start()
    const errors = vi.fn()
    reader.on('error', errors)
    const answer = Promise.withResolvers<never>()
    broker.fetchFate = () => 'NOT_LEADER_OR_FOLLOWER'
    broker.driver.metadata = () => answer.promise
    const reading = readAll(reader).catch(() => {})
    await clock.advanceAsync(12_000)
    const before = errors.mock.calls.length
    await reader.close()
    answer.reject(new Error('the cluster is closed'))
    await clock.advanceAsync(12_000)
    expect(errors).toHaveBeenCalledTimes(before)
    await reading
  })

  test('says that its topic is gone, and does not wait for it for ever', async () => {
    const { clock, broker, start } = await open({ follow: true }, 1)
    broker.write('letters', 0, ['a'])
    const reader = await start()
    const failure = vi.fn()
    const reading = readAll(reader).catch(failure)
    await clock.advanceAsync(1_000)
    broker.topics.delete('letters')
    await clock.advanceAsync(20_000)
    await reading
    expect(failure.mock.calls[0]?.[0]).toMatchObject({
      apiError: 'UNKNOWN_TOPIC_OR_PARTITION',
      message: expect.stringContaining('it was deleted while it was read'),
    })
  })

  test('whose position was deleted goes on from what is left, and says so', async () => {
    const { broker, start } = await open({}, 1)
    for (const value of ['a', 'b', 'c']) broker.write('letters', 0, [value])
    const moved: (OffsetPlace & { from: number })[] = []
    broker.fetchFate = () => 'OFFSET_OUT_OF_RANGE'
    const reader = await start()
    reader.on('moved', (event) => {
      broker.fetchFate = () => undefined
      moved.push(event)
    })
    broker.truncateStart('letters', 0, 2)
    expect(await readAll(reader)).toEqual(['0/2 c'])
    expect(moved).toEqual([{ topic: 'letters', partition: 0, from: 0, offset: 2 }])
  })

  test('fails with what was wrong once no broker has answered for as long as it has patience', async () => {
    const { clock, broker, start } = await open({ patienceMs: 5_000 }, 1)
    broker.write('letters', 0, ['a'])
    broker.fetchFate = () => 'KAFKA_STORAGE_ERROR'
    const reader = await start()
    const failure = vi.fn()
    const reading = readAll(reader).catch(failure)
    await clock.advanceAsync(4_000)
    expect(failure).not.toHaveBeenCalled()
    await clock.advanceAsync(3_000)
    await reading
    expect(failure.mock.calls[0]?.[0]).toMatchObject({
      code: 'cluster_timed_out',
      message: expect.stringMatching(/^letters\/0 could not be read within 5000 ms: KAFKA_STORAGE_ERROR/),
      cause: { apiError: 'KAFKA_STORAGE_ERROR' },
    })
  })

  test('is not impatient after whoever reads took long', async () => {
    const { clock, broker, start } = await open({ patienceMs: 2_000 }, 1)
    broker.write('letters', 0, ['a'])
    const reader = await start({ follow: true })
    const records = reader[Symbol.asyncIterator]()
    await records.next()
    broker.fetchFate = () => 'KAFKA_STORAGE_ERROR'
    await clock.advanceAsync(10_000)
    const next = records.next()
    await clock.advanceAsync(1_500)
    broker.fetchFate = () => undefined
    broker.write('letters', 0, ['b'])
    await clock.advanceAsync(2_000)
    expect((await next).value).toMatchObject({ value: 'b' })
    await reader.close()
  })

  test('refuses what makes no sense, and names the field', async () => {
    const { start } = await open()
    await expect(start({ topics: [] })).rejects.toMatchObject({ code: 'config_invalid', field: 'topics' })
    await expect(start({ from: { offset: -1 } })).rejects.toMatchObject({ field: 'from.offset' })
    await expect(start({ from: 'somewhere' as never })).rejects.toMatchObject({ field: 'from' })
    await expect(start({ maxBytes: 1 })).rejects.toMatchObject({ field: 'maxBytes' })
    await expect(start({ partition: [1] } as never)).rejects.toMatchObject({ code: 'config_invalid' })
  })
})
