import { expect, test } from 'vitest'
import { ManualClock, PriorityQueue } from '../index.ts'
import type { Priority, PriorityQueueOptions, QueueEntry, Shed } from '../index.ts'

function makeQueue(options: Partial<PriorityQueueOptions<string>> = {}) {
  const clock = new ManualClock()
  const shed: [string, string][] = []
  const onShed = ({ entry, error }: Shed<string>): void => void shed.push([entry.item, error.reason])
  const queue = new PriorityQueue<string>({ maxRecords: 3, clock, onShed, ...options })
  const fill = (...items: [string, Priority][]): QueueEntry<string>[] =>
    items.map(([item, priority]) => queue.tryPush(item, { priority })!)
  return { queue, clock, shed, fill }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('takes the most important first and the oldest first among equals', () => {
  const { queue, fill } = makeQueue({ maxRecords: 10 })
  fill(['low', 'low'], ['medium 1', 'medium'], ['high 1', 'high'], ['medium 2', 'medium'], ['high 2', 'high'])
  const taken = Array.from({ length: 6 }, () => queue.take()?.item)
  expect(taken).toEqual(['high 1', 'high 2', 'medium 1', 'medium 2', 'low', undefined])
})

test('takes in order of arrival where that is wanted', () => {
  const { queue, fill } = makeQueue({ maxRecords: 10, takeOrder: 'arrival' })
  fill(['1', 'low'], ['2', 'high'], ['3', 'medium'])
  expect([queue.take()?.item, queue.take()?.item, queue.take()?.item]).toEqual(['1', '2', '3'])
})

test('a high item evicts the oldest of the lowest class below its own, and that one is told', async () => {
  const { queue, shed, fill } = makeQueue()
  fill(['medium', 'medium'], ['low 1', 'low'], ['low 2', 'low'])
  await queue.push('high 1', { priority: 'high' })
  await queue.push('high 2', { priority: 'high' })
  expect(queue.tryPush('high 3', { priority: 'high' })).toBeDefined()
  expect(shed).toEqual([
    ['low 1', 'old_message_dropped'],
    ['low 2', 'old_message_dropped'],
    ['medium', 'old_message_dropped'],
  ])
  expect(queue.inspect()).toMatchObject({ records: 3, shed: { old_message_dropped: 3 }, queued: { high: 3 } })
})

test('a high item never evicts what is sealed or its equal: it waits, at most its time', async () => {
  const { queue, clock, shed, fill } = makeQueue({ highWaitMs: 500 })
  const [low] = fill(['low', 'low'], ['high 1', 'high'], ['high 2', 'high'])
  queue.seal(low!)
  const first = queue.push('high 3', { priority: 'high' })
  const second = queue.push('high 4', { priority: 'high' })
  queue.release(low!)
  expect((await first).state).toBe('queued')
  clock.advance(499)
  expect(queue.waiting).toBe(1)
  clock.advance(1)
  await expect(second).rejects.toMatchObject({ reason: 'timeout_drop', priority: 'high' })
  expect(shed).toEqual([])
})

test('a medium item waits at most a second, then is counted as timeout_drop', async () => {
  const { queue, clock, fill } = makeQueue()
  fill(['1', 'low'], ['2', 'low'], ['3', 'low'])
  const waiting = queue.push('medium')
  clock.advance(1_000)
  await expect(waiting).rejects.toMatchObject({ reason: 'timeout_drop', code: 'backpressure', retriable: true })
  await expect(waiting).rejects.toThrow('No room within 1000 ms')
  expect(queue.inspect()).toMatchObject({ shed: { timeout_drop: 1 }, waiting: 0 })
  expect(clock.pending).toBe(0)
})

test('a low item is refused at once where there is no room or anyone waits', async () => {
  const { queue, fill } = makeQueue({ maxBytes: 10 })
  const [first] = [queue.tryPush('1', { bytes: 8 })]
  const waiting = queue.push('2', { bytes: 5 })
  const low = queue.push('low', { priority: 'low', bytes: 1 })
  await expect(low).rejects.toMatchObject({ reason: 'low_priority_drop', message: 'The queue is full' })
  expect(queue.tryPush('other', { bytes: 1 })).toBeUndefined()
  queue.release(first!)
  await waiting
  expect(fill(['low', 'low'])).toHaveLength(1)
  expect(queue.inspect()).toMatchObject({ records: 2, bytes: 5, shed: { low_priority_drop: 1 } })
})

test('who waits with more importance goes first, and holds back the rest until it fits', async () => {
  const { queue } = makeQueue({ maxBytes: 10 })
  const log: string[] = []
  const entries = [
    queue.tryPush('a', { priority: 'high', bytes: 5 })!,
    queue.tryPush('b', { priority: 'high', bytes: 5 })!,
  ]
  void queue.push('medium', { bytes: 1 }).then(() => log.push('medium'))
  void queue.push('high', { priority: 'high', bytes: 10 }).then(() => log.push('high'))
  queue.release(entries[0]!)
  await settled()
  expect(log).toEqual([])
  queue.release(entries[1]!)
  await settled()
  expect(log).toEqual(['high'])
})

test('a high item that arrives passes a medium one that waits', async () => {
  const { queue, shed, fill } = makeQueue()
  fill(['low', 'low'], ['2', 'high'], ['3', 'high'])
  const medium = queue.push('medium').catch((error: Error) => error)
  await queue.push('high', { priority: 'high' })
  expect(shed).toEqual([['low', 'old_message_dropped']])
  expect(queue.waiting).toBe(1)
  queue.close()
  expect(await medium).toMatchObject({ code: 'closed' })
})

test('nothing is evicted for an item that would not fit even then', async () => {
  const { queue, shed } = makeQueue({ maxBytes: 10, maxRecords: 5 })
  queue.tryPush('low', { priority: 'low', bytes: 4 })
  queue.tryPush('high', { priority: 'high', bytes: 4 })
  expect(queue.tryPush('large', { priority: 'high', bytes: 7 })).toBeUndefined()
  expect(shed).toEqual([])
  expect(queue.tryPush('fits', { priority: 'high', bytes: 6 })).toBeDefined()
  expect(shed).toHaveLength(1)
})

test('an entry that is still queued can be withdrawn, and none is released twice', () => {
  const { queue, fill } = makeQueue()
  const [first, second] = fill(['1', 'low'], ['2', 'low'])
  queue.release(first!)
  expect(queue.take()).toBe(second)
  expect(() => queue.seal(second!)).toThrow('The entry is sealed, not queued')
  queue.release(second!)
  expect(() => queue.release(second!)).toThrow('The entry is gone, not sealed')
  expect(queue.inspect()).toMatchObject({ records: 0, bytes: 0 })
})

test('an item taken still fills the queue until it is released', () => {
  const { queue, fill } = makeQueue({ maxRecords: 1 })
  fill(['1', 'medium'])
  const entry = queue.take()!
  expect([queue.length, queue.tryPush('2')]).toEqual([0, undefined])
  queue.release(entry)
  expect(queue.tryPush('2')).toBeDefined()
})

test('the emergency brake sheds everything less important, queued or waiting, with its account', async () => {
  const { queue, shed, fill } = makeQueue()
  fill(['medium', 'medium'], ['low', 'low'], ['high', 'high'])
  const waiting = queue.push('waiting').catch((error: unknown) => error)
  queue.retainOnly('high')
  expect(await waiting).toMatchObject({ reason: 'low_priority_drop' })
  expect(shed).toEqual([
    ['low', 'low_priority_drop'],
    ['medium', 'low_priority_drop'],
  ])
  expect(queue.inspect()).toMatchObject({ records: 1, queued: { high: 1 }, shed: { low_priority_drop: 3 } })
})

test('the brake keeps everything of the class it names', () => {
  const { queue, shed, fill } = makeQueue()
  fill(['medium', 'medium'], ['low', 'low'], ['high', 'high'])
  queue.retainOnly('low')
  expect(shed).toEqual([])
  queue.retainOnly('medium')
  expect(shed).toEqual([['low', 'low_priority_drop']])
})

test('an aborted push leaves no waiter, no timer and no item', async () => {
  const { queue, clock, fill } = makeQueue()
  fill(['1', 'high'], ['2', 'high'], ['3', 'high'])
  const controller = new AbortController()
  const waiting = queue.push('4', { signal: controller.signal })
  controller.abort(new Error('no longer'))
  await expect(waiting).rejects.toThrow('no longer')
  await expect(queue.push('5', { signal: controller.signal })).rejects.toThrow('no longer')
  expect([queue.waiting, clock.pending, queue.inspect().records]).toEqual([0, 0, 3])
})

test('one waiter too many is refused as waiting_full', async () => {
  const { queue, fill } = makeQueue({ maxWaiting: 1 })
  fill(['1', 'high'], ['2', 'high'], ['3', 'high'])
  const waiting = queue.push('4').catch(() => {})
  await expect(queue.push('5')).rejects.toMatchObject({ reason: 'waiting_full' })
  expect(queue.inspect().shed.waiting_full).toBe(1)
  queue.close()
  await waiting
})

test('throttles at the high watermark, and ready waits for the low one', async () => {
  const { queue, fill } = makeQueue({ maxRecords: 10, highWatermark: 3, lowWatermark: 1 })
  const entries = fill(['1', 'low'], ['2', 'low'], ['3', 'low'])
  expect(queue.throttled).toBe(true)
  const ready = queue.ready()
  queue.release(entries[0]!)
  expect(queue.throttled).toBe(true)
  queue.release(entries[1]!)
  await ready
  expect(queue.throttled).toBe(false)
})

test('listeners that call back find every count right', async () => {
  const inside: number[] = []
  const { queue, fill } = makeQueue({
    highWatermark: 3,
    lowWatermark: 2,
    onThrottled: () => {
      const entry = queue.take()
      if (entry) queue.release(entry)
    },
    onShed: () => inside.push(queue.inspect().records),
  })
  fill(['1', 'low'], ['2', 'low'], ['3', 'low'])
  expect(queue.inspect().records).toBe(2)
  await queue.push('4')
  await queue.push('5', { priority: 'high' })
  expect(queue.inspect().records).toBeLessThanOrEqual(3)
})

test('a listener that fills the room which an eviction is making cannot keep the evicting item out', async () => {
  let isFilling = true
  const { queue, shed } = makeQueue({
    maxRecords: 10,
    maxBytes: 100,
    onReleased: () => {
      if (isFilling) queue.tryPush('from the listener', { bytes: 80, priority: 'high' })
      isFilling = false
    },
  })
  for (const item of ['1', '2', '3', '4', '5']) queue.tryPush(item, { priority: 'low', bytes: 20 })
  await queue.push('large', { priority: 'high', bytes: 100 })
  expect(shed.map(([item]) => item)).toEqual(['1', '2', '3', '4', '5'])
  expect(queue.inspect()).toMatchObject({ records: 1, bytes: 100 })
})

test('listeners hear of changes in the order in which they happened', async () => {
  const heard: string[] = []
  const { queue } = makeQueue({
    maxRecords: 10,
    maxBytes: 100,
    onThrottled: () => {
      heard.push('throttled')
      const entry = heard.length === 1 ? queue.take() : undefined
      if (entry) queue.release(entry)
    },
    onReleased: () => heard.push('released'),
    onShed: ({ entry }) => heard.push(`shed ${entry.item}`),
  })
  queue.tryPush('80', { bytes: 80, priority: 'low' })
  queue.tryPush('81', { bytes: 81, priority: 'low' })
  await queue.push('100', { bytes: 100, priority: 'high' })
  expect(heard).toEqual(['throttled', 'released', 'throttled', 'released', 'shed 81', 'throttled'])
})

test('after close nothing comes in and what is inside can be drained', async () => {
  const { queue, fill } = makeQueue()
  fill(['1', 'medium'])
  queue.close()
  queue.close()
  await expect(queue.push('2')).rejects.toMatchObject({ code: 'closed' })
  expect(queue.tryPush('2')).toBeUndefined()
  queue.release(queue.take()!)
  expect(queue.inspect()).toMatchObject({ records: 0, closed: true })
})

test.each([
  [{ mediumWaitMs: -1 }, 'mediumWaitMs'],
  [{ highWaitMs: Number.NaN }, 'highWaitMs'],
  [{ takeOrder: 'random' as 'arrival' }, 'takeOrder'],
  [{ maxWaiting: 0.5 }, 'maxWaiting'],
  [{ onShed: undefined as never }, 'onShed'],
  [{ maxRecords: 0 }, 'maxRecords'],
])('%o is refused, naming %s', (options, field) => {
  expect(() => makeQueue(options)).toThrow(expect.objectContaining({ field }))
})

test('an unknown priority or a size that is no number is refused', async () => {
  const { queue } = makeQueue()
  await expect(queue.push('x', { priority: 'urgent' as Priority })).rejects.toMatchObject({ field: 'priority' })
  expect(() => queue.tryPush('x', { bytes: Number.NaN })).toThrow('bytes is NaN')
  expect(queue.inspect().records).toBe(0)
})

test('what makes no sense is refused also while others wait, and they go on', async () => {
  const { queue, fill } = makeQueue()
  const [first] = fill(['1', 'high'], ['2', 'high'], ['3', 'high'])
  const waiting = queue.push('4')
  await expect(queue.push('x', { bytes: Number.NaN })).rejects.toMatchObject({ field: 'bytes' })
  await expect(queue.push('x', { bytes: -1, priority: 'low' })).rejects.toMatchObject({ field: 'bytes' })
  expect(() => queue.tryPush('x', { bytes: Infinity })).toThrow('bytes is Infinity')
  queue.release(first!)
  await expect(waiting).resolves.toMatchObject({ state: 'queued' })
  expect(queue.waiting).toBe(0)
})

test('the brake that makes no sense sheds nothing', () => {
  const { queue, fill, shed } = makeQueue()
  fill(['1', 'low'])
  expect(() => queue.retainOnly('urgent' as Priority)).toThrow(expect.objectContaining({ field: 'priority' }))
  expect([shed, queue.length]).toEqual([[], 1])
})
