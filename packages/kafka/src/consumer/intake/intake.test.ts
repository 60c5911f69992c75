import fc from 'fast-check'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { bytes } from '../../codecs/bytes.ts'
import { topic } from '../../record/topic.ts'
import { Intake, type Ask, type IntakeOptions } from './intake.ts'
import { AssignedPartition } from '../partition.ts'

const KiB = 1_024
const onRoom = vi.fn()

function open(count: number, options: Partial<IntakeOptions> = {}) {
  const intake = new Intake({
    maxRecords: 1_000,
    maxBytes: 1_024 * KiB,
    busyPartitions: 10,
    partitionMaxBytes: 1_024 * KiB,
    fetchMaxBytes: 4_096 * KiB,
    onRoom,
    ...options,
  })
  const partitions = Array.from({ length: count }, (_, number) => {
    const partition = new AssignedPartition(topic('t', { value: bytes }), 'id', number, number)
    Object.assign(partition, { phase: 'active', position: 0 })
    Object.assign(partition.sizes, { batchBytes: 16 * KiB, batchRecords: 100, caughtUp: false })
    intake.add(partition)
    return partition
  })
  return { intake, partitions }
}

/** Everything that was asked for comes, exactly. */
function fill(intake: Intake, asks: readonly Ask[]): void {
  for (const ask of asks) intake.settle(ask, ask.bytes, ask.records)
}

beforeEach(() => onRoom.mockClear())

describe('a fetch', () => {
  test('reserves its bytes before, and gets back what did not come', () => {
    const { intake, partitions } = open(1)
    const { asks } = intake.plan(partitions, false)
    expect(asks).toHaveLength(1)
    expect(intake.inspect().bytes).toBe(asks[0]!.bytes)
    intake.settle(asks[0]!, 3 * KiB, 7)
    expect(intake.inspect()).toMatchObject({ bytes: 3 * KiB, records: 7 })
  })

  test('asks for about as many records as there is room for, in whole batches', () => {
    const { intake, partitions } = open(1)
    expect(intake.plan(partitions, false).asks[0]!.bytes).toBe(10 * 16 * KiB)
  })

  test('of a partition with nothing left to read asks for one batch', () => {
    const { intake, partitions } = open(1)
    partitions[0]!.sizes.caughtUp = true
    expect(intake.plan(partitions, false).asks[0]).toMatchObject({ bytes: 16 * KiB, records: 0 })
  })

  test('leaves partitions with nothing left to read out where only those behind are wanted', () => {
    const { intake, partitions } = open(3)
    partitions[1]!.sizes.caughtUp = true
    expect(intake.plan(partitions, true).asks.map(({ partition }) => partition.partition)).toEqual([0, 2])
    expect(intake.plan([partitions[1]!], true)).toEqual({ asks: [], waiting: false })
  })

  test('leaves out partitions that want none', () => {
    const { intake, partitions } = open(2)
    partitions[0]!.paused = true
    expect(intake.plan(partitions, false)).toMatchObject({ asks: [{ partition: partitions[1] }], waiting: false })
  })

  test('is not sent once the records are in', () => {
    const { intake, partitions } = open(1)
    fill(intake, intake.plan(partitions, false).asks)
    expect(intake.plan(partitions, false)).toEqual({ asks: [], waiting: true })
    intake.release(partitions[0]!, 32 * KiB, 200)
    expect(onRoom).toHaveBeenCalledOnce()
    expect(intake.plan(partitions, false).asks).toHaveLength(1)
  })
})

describe('a partition', () => {
  test('that nobody empties leaves the others their share', () => {
    const { intake, partitions } = open(4, { maxRecords: 10_000 })
    const [stuck, ...others] = partitions
    for (let round = 0; round < 20; round++) fill(intake, intake.plan([stuck!], false).asks)
    const { asks } = intake.plan(others, false)
    expect(asks.map(({ partition }) => partition)).toEqual(others)
  })

  test('that has nothing gets a batch although the count is full, as long as a slot is free', () => {
    const { intake, partitions } = open(3, { busyPartitions: 2, maxRecords: 10 })
    fill(intake, intake.plan([partitions[0]!], false).asks)
    expect(intake.inspect().records).toBe(100)
    fill(intake, intake.plan([partitions[1]!], false).asks)
    expect(intake.inspect().records).toBe(200)
    expect(intake.plan([partitions[2]!], false)).toEqual({ asks: [], waiting: true })
  })

  test('that was refused has the first claim on what becomes free', () => {
    const { intake, partitions } = open(8, { maxBytes: 128 * KiB, maxRecords: 100_000 })
    // A share of 8 KiB is less than a batch: they take turns at the common half.
    const [a, b, c] = partitions
    fill(intake, intake.plan([a!], false).asks)
    expect(intake.plan([b!], false).asks).toEqual([])
    intake.release(a!, a!.usage.heldBytes, a!.usage.heldRecords)
    expect(intake.plan([c!], false).asks).toEqual([])
    const { asks } = intake.plan([b!], false)
    expect(asks).toHaveLength(1)
    intake.settle(asks[0]!, 16 * KiB, 100)
    expect(intake.plan([c!], false).asks).toHaveLength(1)
  })

  test('whose batch can never fit passes alone, without holding up the others', () => {
    const { intake, partitions } = open(2, { maxRecords: 100_000 })
    const [large, small] = partitions
    large!.sizes.batchBytes = 3_000 * KiB
    fill(intake, intake.plan([small!], false).asks)
    expect(intake.plan([large!], false)).toEqual({ asks: [], waiting: true })
    // It waits for the common half alone; the own share of the other is not touched.
    intake.release(small!, small!.usage.heldBytes, small!.usage.heldRecords)
    expect(intake.plan([small!], false).asks[0]!.bytes).toBeLessThanOrEqual(256 * KiB)
    const { asks } = intake.plan([large!], false)
    expect(asks).toMatchObject([{ partition: large, bytes: 3_000 * KiB }])
  })

  test('that is taken away leaves nothing behind', () => {
    const { intake, partitions } = open(2)
    fill(intake, intake.plan(partitions, false).asks)
    intake.expand(partitions[0]!, 5 * KiB)
    for (const partition of partitions) intake.remove(partition)
    expect(intake.inspect()).toMatchObject({ bytes: 0, records: 0, expandedBytes: 0 })
    intake.release(partitions[0]!, KiB, 1)
    intake.shrink(partitions[0]!, KiB)
    expect(intake.inspect()).toMatchObject({ bytes: 0, records: 0, expandedBytes: 0 })
  })
})

describe('of topics declared high', () => {
  test('partitions have a quarter of the budget that no others can take', () => {
    const { intake, partitions } = open(9, { maxRecords: 100_000 })
    const [urgent, ...others] = partitions
    urgent!.priority = 'high'
    for (let round = 0; round < 40; round++) fill(intake, intake.plan(others, false).asks)
    expect(intake.plan(others, false).asks).toEqual([])
    expect(intake.inspect().bytes).toBeLessThanOrEqual(768 * KiB)
    for (let round = 0; round < 40; round++) fill(intake, intake.plan([urgent!], false).asks)
    expect(urgent!.usage.heldBytes).toBeGreaterThanOrEqual(240 * KiB)
  })

  test('a partition brings in a batch for as long as its share is not used up, however few records that is', () => {
    const { intake, partitions } = open(3, { busyPartitions: 1, maxRecords: 100 })
    partitions[0]!.priority = 'high'
    for (let round = 0; round < 10; round++) fill(intake, intake.plan(partitions.slice(1), false).asks)
    const { asks } = intake.plan([partitions[0]!], false)
    expect(asks).toHaveLength(1)
    fill(intake, asks)
    expect(intake.plan([partitions[0]!], false).asks).toEqual([])
  })

  test('partitions have what others have, where all are', () => {
    const { intake, partitions } = open(4, { maxRecords: 100_000 })
    for (const partition of partitions) partition.priority = 'high'
    for (let round = 0; round < 40; round++) fill(intake, intake.plan([partitions[0]!], false).asks)
    expect(partitions[0]!.usage.heldBytes).toBe(640 * KiB)
  })
})

describe('under pressure', () => {
  test('only a part of the budget is used, and what is in memory stays', () => {
    const { intake, partitions } = open(1)
    intake.use(0.1)
    const { asks } = intake.plan(partitions, false)
    expect(asks[0]!.bytes).toBeLessThanOrEqual(102 * KiB)
    expect(asks[0]!.records).toBe(100)
    fill(intake, asks)
    expect(intake.plan(partitions, false)).toEqual({ asks: [], waiting: true })
    intake.use(1)
    expect(onRoom).toHaveBeenCalledOnce()
    expect(intake.plan(partitions, false).asks).toHaveLength(1)
  })

  test('a batch larger than that part still comes, alone', () => {
    const { intake, partitions } = open(2, { maxBytes: 128 * KiB })
    intake.use(0.1)
    const { asks } = intake.plan(partitions, false)
    expect(asks).toMatchObject([{ partition: partitions[0], bytes: 16 * KiB }])
    fill(intake, asks)
    expect(intake.plan([partitions[1]!], false).asks).toEqual([])
    intake.release(partitions[0]!, 16 * KiB, 100)
    expect(intake.plan([partitions[1]!], false).asks).toHaveLength(1)
  })
})

test('a compressed batch is opened beyond the limit only where no other is open', () => {
  const { intake, partitions } = open(2)
  expect(intake.mayExpand()).toBe(true)
  intake.expand(partitions[0]!, 2_000 * KiB)
  expect(intake.mayExpand()).toBe(false)
  intake.shrink(partitions[0]!, 2_000 * KiB)
  intake.release(partitions[0]!, 2_000 * KiB, 0)
  expect(onRoom).toHaveBeenCalledOnce()
  expect(intake.mayExpand()).toBe(true)
})

describe('partitions that are caught up', () => {
  function openCaughtUp(count: number, options: Partial<IntakeOptions> = {}) {
    const opened = open(count, options)
    for (const { sizes } of opened.partitions) Object.assign(sizes, { caughtUp: true, batchBytes: 64 * KiB })
    return opened
  }

  test('are all asked for, however many, with one reservation for all', () => {
    const { intake, partitions } = openCaughtUp(5_000, { maxBytes: 64 * 1_024 * KiB })
    const { asks, waiting, maxBytes } = intake.plan(partitions, false)
    expect(asks).toHaveLength(5_000)
    expect(waiting).toBe(false)
    expect(maxBytes).toBeLessThanOrEqual(4_096 * KiB)
    expect(intake.inspect().bytes).toBe(maxBytes)
    for (const ask of asks) intake.settle(ask, 0, 0)
    expect(intake.inspect()).toMatchObject({ bytes: 0, records: 0 })
  })

  test('take nothing of the request from one that has records', () => {
    const { intake, partitions } = openCaughtUp(1_000, { maxBytes: 64 * 1_024 * KiB, maxRecords: 100_000 })
    partitions[999]!.sizes.caughtUp = false
    const { asks } = intake.plan(partitions, false)
    expect(asks).toHaveLength(1_000)
    // A broker fills the answer in the order of the request.
    expect(asks[0]).toMatchObject({ partition: partitions[999], bytes: 1_024 * KiB })
  })

  test('bring in what their shares have room for while others fill the common half', () => {
    const { intake, partitions } = openCaughtUp(4, { maxRecords: 100_000 })
    const [stuck, ...others] = partitions
    stuck!.sizes.caughtUp = false
    for (let round = 0; round < 20; round++) fill(intake, intake.plan([stuck!], false).asks)
    const { asks, maxBytes } = intake.plan(others, false)
    expect(asks).toHaveLength(3)
    expect(maxBytes).toBe(3 * 64 * KiB)
  })

  test('of several brokers leave the common half to each other and to those with records', () => {
    const { intake, partitions } = openCaughtUp(100, { maxRecords: 100_000 })
    for (let broker = 0; broker < 9; broker++) {
      expect(intake.plan(partitions.slice(broker * 10, broker * 10 + 10), false).asks).toHaveLength(10)
    }
    partitions[99]!.sizes.caughtUp = false
    expect(intake.plan([partitions[99]!], false).asks).toHaveLength(1)
  })

  test('bring in a batch although the records are in, so that none waits behind others', () => {
    const { intake, partitions } = openCaughtUp(20, { busyPartitions: 1, maxRecords: 100 })
    const [hot, ...others] = partitions
    hot!.sizes.caughtUp = false
    fill(intake, intake.plan([hot!], false).asks)
    const { asks, maxBytes } = intake.plan([hot!, ...others], false)
    expect(asks.map(({ partition }) => partition)).toEqual(others)
    expect(maxBytes).toBeLessThanOrEqual(64 * KiB)
    // One that has brought something waits for it to be handled.
    asks.forEach((ask, index) => intake.settle(ask, index === 0 ? KiB : 0, index === 0 ? 10 : 0))
    expect(intake.plan(others, false).asks).toHaveLength(18)
  })

  test('that one of them is given back in the meantime leaves nothing behind', () => {
    const { intake, partitions } = openCaughtUp(3)
    const { asks } = intake.plan(partitions, false)
    intake.remove(partitions[1]!)
    for (const ask of asks) intake.settle(ask, 0, 0)
    expect(intake.inspect()).toMatchObject({ bytes: 0, records: 0 })
  })
})

test('whatever is fetched and finished: never more bytes than the limit, and always somebody who can go on', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 64, max: 2_048 }),
      fc.nat(12),
      fc.constantFrom(1, 0.5, 0.1),
      fc.array(fc.record({ who: fc.nat(), share: fc.double({ min: 0, max: 1, noNaN: true }), free: fc.boolean() }), {
        maxLength: 60,
      }),
      (count, maxKiB, high, budgetShare, steps) => {
        const maxBytes = maxKiB * KiB
        const { intake, partitions } = open(count, { maxBytes })
        for (const partition of partitions.slice(0, high)) partition.priority = 'high'
        intake.use(budgetShare)
        for (const { who, share, free } of steps) {
          const partition = partitions[who % count]!
          if (free) intake.release(partition, partition.usage.heldBytes, partition.usage.heldRecords)
          else {
            const { asks } = intake.plan([partition], false)
            expect(intake.inspect().bytes).toBeLessThanOrEqual(maxBytes)
            for (const ask of asks) intake.settle(ask, Math.floor(ask.bytes * share), Math.floor(ask.records * share))
          }
        }
        for (const partition of partitions) {
          intake.release(partition, partition.usage.heldBytes, partition.usage.heldRecords)
        }
        expect(intake.inspect()).toMatchObject({ bytes: 0, records: 0 })
        expect(partitions.some((partition) => intake.plan([partition], false).asks.length > 0)).toBe(true)
      },
    ),
  )
})

test('whole answers, of caught-up partitions and others: never more than the limit and a batch, and nothing is left behind', () => {
  const step = fc.record({
    /** Which partitions a broker leads: each `brokers`-th. */
    broker: fc.nat(2),
    brings: fc.array(fc.nat(40), { minLength: 1, maxLength: 20 }),
    catchUp: fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
    free: fc.nat(20),
    fails: fc.boolean(),
  })
  fc.assert(
    fc.property(
      fc.integer({ min: 3, max: 60 }),
      fc.integer({ min: 64, max: 4_096 }),
      fc.nat(3),
      fc.constantFrom(1, 0.1),
      fc.array(step, { maxLength: 40 }),
      (count, maxKiB, high, budgetShare, steps) => {
        const maxBytes = maxKiB * KiB
        const { intake, partitions } = open(count, { maxBytes, fetchMaxBytes: 512 * KiB })
        for (const partition of partitions.slice(0, high)) partition.priority = 'high'
        for (const { sizes } of partitions) sizes.caughtUp = true
        intake.use(budgetShare)
        for (const { broker, brings, catchUp, free, fails } of steps) {
          const before = intake.inspect().bytes
          const plan = intake.plan(
            partitions.filter((_, index) => index % 3 === broker),
            false,
          )
          const reserved = intake.inspect().bytes - before
          const requestBytes = plan.maxBytes ?? plan.asks.reduce((sum, { bytes }) => sum + bytes, 0)
          expect(reserved).toBe(requestBytes)
          expect(intake.inspect().bytes).toBeLessThanOrEqual(Math.max(maxBytes, before))
          let left = fails ? 0 : requestBytes
          plan.asks.forEach((ask, index) => {
            // The first one comes whole, whatever its size; the others in their order, as far as there is room.
            const batch = brings[index % brings.length]! * KiB
            const bytes = left === requestBytes && left > 0 ? batch : Math.min(batch, ask.bytes, left)
            left = Math.max(0, left - bytes)
            ask.partition.sizes.caughtUp = catchUp[index % catchUp.length]!
            intake.settle(ask, bytes, Math.ceil(bytes / 100))
          })
          expect(intake.inspect().bytes).toBeLessThanOrEqual(Math.max(maxBytes, before) + 40 * KiB)
          for (const partition of partitions.slice(0, free)) {
            intake.release(partition, partition.usage.heldBytes, partition.usage.heldRecords)
          }
        }
        for (const partition of partitions) {
          intake.release(partition, partition.usage.heldBytes, partition.usage.heldRecords)
        }
        expect(intake.inspect()).toMatchObject({ bytes: 0, records: 0 })
        expect(partitions.every((partition) => partition.usage.reservedBytes === 0)).toBe(true)
        expect(intake.plan(partitions, false).asks.length).toBeGreaterThan(0)
      },
    ),
  )
})
