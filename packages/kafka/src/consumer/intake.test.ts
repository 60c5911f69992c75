import fc from 'fast-check'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { bytes } from '../codecs/bytes.ts'
import { topic } from '../topic.ts'
import { Intake, type Ask, type IntakeOptions } from './intake.ts'
import { AssignedPartition } from './partition.ts'

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
    const { asks } = intake.plan(partitions)
    expect(asks).toHaveLength(1)
    expect(intake.inspect().bytes).toBe(asks[0]!.bytes)
    intake.settle(asks[0]!, 3 * KiB, 7)
    expect(intake.inspect()).toMatchObject({ bytes: 3 * KiB, records: 7 })
  })

  test('asks for about as many records as there is room for, in whole batches', () => {
    const { intake, partitions } = open(1)
    expect(intake.plan(partitions).asks[0]!.bytes).toBe(10 * 16 * KiB)
  })

  test('of a partition with nothing left to read asks for one batch', () => {
    const { intake, partitions } = open(1)
    partitions[0]!.sizes.caughtUp = true
    expect(intake.plan(partitions).asks[0]).toMatchObject({ bytes: 16 * KiB, records: 0 })
  })

  test('is not sent once the records are in', () => {
    const { intake, partitions } = open(1)
    fill(intake, intake.plan(partitions).asks)
    expect(intake.plan(partitions)).toEqual({ asks: [], waiting: true })
    intake.release(partitions[0]!, 32 * KiB, 200)
    expect(onRoom).toHaveBeenCalledOnce()
    expect(intake.plan(partitions).asks).toHaveLength(1)
  })
})

describe('a partition', () => {
  test('that nobody empties leaves the others their share', () => {
    const { intake, partitions } = open(4, { maxRecords: 10_000 })
    const [stuck, ...others] = partitions
    for (let round = 0; round < 20; round++) fill(intake, intake.plan([stuck!]).asks)
    const { asks } = intake.plan(others)
    expect(asks.map(({ partition }) => partition)).toEqual(others)
  })

  test('that has nothing gets a batch although the count is full, as long as a slot is free', () => {
    const { intake, partitions } = open(3, { busyPartitions: 2, maxRecords: 10 })
    fill(intake, intake.plan([partitions[0]!]).asks)
    expect(intake.inspect().records).toBe(100)
    fill(intake, intake.plan([partitions[1]!]).asks)
    expect(intake.inspect().records).toBe(200)
    expect(intake.plan([partitions[2]!])).toEqual({ asks: [], waiting: true })
  })

  test('that was refused has the first claim on what becomes free', () => {
    const { intake, partitions } = open(8, { maxBytes: 128 * KiB, maxRecords: 100_000 })
    // A share of 8 KiB is less than a batch: they take turns at the common half.
    const [a, b, c] = partitions
    fill(intake, intake.plan([a!]).asks)
    expect(intake.plan([b!]).asks).toEqual([])
    intake.release(a!, a!.usage.heldBytes, a!.usage.heldRecords)
    expect(intake.plan([c!]).asks).toEqual([])
    const { asks } = intake.plan([b!])
    expect(asks).toHaveLength(1)
    intake.settle(asks[0]!, 16 * KiB, 100)
    expect(intake.plan([c!]).asks).toHaveLength(1)
  })

  test('whose batch can never fit passes alone, without holding up the others', () => {
    const { intake, partitions } = open(2, { maxRecords: 100_000 })
    const [large, small] = partitions
    large!.sizes.batchBytes = 3_000 * KiB
    fill(intake, intake.plan([small!]).asks)
    expect(intake.plan([large!])).toEqual({ asks: [], waiting: true })
    // It waits for the common half alone; the own share of the other is not touched.
    intake.release(small!, small!.usage.heldBytes, small!.usage.heldRecords)
    expect(intake.plan([small!]).asks[0]!.bytes).toBeLessThanOrEqual(256 * KiB)
    const { asks } = intake.plan([large!])
    expect(asks).toMatchObject([{ partition: large, bytes: 3_000 * KiB }])
  })

  test('that is taken away leaves nothing behind', () => {
    const { intake, partitions } = open(2)
    fill(intake, intake.plan(partitions).asks)
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
    for (let round = 0; round < 40; round++) fill(intake, intake.plan(others).asks)
    expect(intake.plan(others).asks).toEqual([])
    expect(intake.inspect().bytes).toBeLessThanOrEqual(768 * KiB)
    for (let round = 0; round < 40; round++) fill(intake, intake.plan([urgent!]).asks)
    expect(urgent!.usage.heldBytes).toBeGreaterThanOrEqual(240 * KiB)
  })

  test('a partition brings in a batch for as long as its share is not used up, however few records that is', () => {
    const { intake, partitions } = open(3, { busyPartitions: 1, maxRecords: 100 })
    partitions[0]!.priority = 'high'
    for (let round = 0; round < 10; round++) fill(intake, intake.plan(partitions.slice(1)).asks)
    const { asks } = intake.plan([partitions[0]!])
    expect(asks).toHaveLength(1)
    fill(intake, asks)
    expect(intake.plan([partitions[0]!]).asks).toEqual([])
  })

  test('partitions have what others have, where all are', () => {
    const { intake, partitions } = open(4, { maxRecords: 100_000 })
    for (const partition of partitions) partition.priority = 'high'
    for (let round = 0; round < 40; round++) fill(intake, intake.plan([partitions[0]!]).asks)
    expect(partitions[0]!.usage.heldBytes).toBe(640 * KiB)
  })
})

describe('under pressure', () => {
  test('only a part of the budget is used, and what is in memory stays', () => {
    const { intake, partitions } = open(1)
    intake.use(0.1)
    const { asks } = intake.plan(partitions)
    expect(asks[0]!.bytes).toBeLessThanOrEqual(102 * KiB)
    expect(asks[0]!.records).toBe(100)
    fill(intake, asks)
    expect(intake.plan(partitions)).toEqual({ asks: [], waiting: true })
    intake.use(1)
    expect(onRoom).toHaveBeenCalledOnce()
    expect(intake.plan(partitions).asks).toHaveLength(1)
  })

  test('a batch larger than that part still comes, alone', () => {
    const { intake, partitions } = open(2, { maxBytes: 128 * KiB })
    intake.use(0.1)
    const { asks } = intake.plan(partitions)
    expect(asks).toMatchObject([{ partition: partitions[0], bytes: 16 * KiB }])
    fill(intake, asks)
    expect(intake.plan([partitions[1]!]).asks).toEqual([])
    intake.release(partitions[0]!, 16 * KiB, 100)
    expect(intake.plan([partitions[1]!]).asks).toHaveLength(1)
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
            const { asks } = intake.plan([partition])
            expect(intake.inspect().bytes).toBeLessThanOrEqual(maxBytes)
            for (const ask of asks) intake.settle(ask, Math.floor(ask.bytes * share), Math.floor(ask.records * share))
          }
        }
        for (const partition of partitions) {
          intake.release(partition, partition.usage.heldBytes, partition.usage.heldRecords)
        }
        expect(intake.inspect()).toMatchObject({ bytes: 0, records: 0 })
        expect(partitions.some((partition) => intake.plan([partition]).asks.length > 0)).toBe(true)
      },
    ),
  )
})
