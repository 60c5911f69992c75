import { expect, test } from 'vitest'
import { backpressureBuffer } from '../examples/backpressure-buffer.ts'
import { backpressureDrop } from '../examples/backpressure-drop.ts'
import { dynamicThrottle } from '../examples/dynamic-throttle.ts'
import { limitRate } from '../examples/limit-rate.ts'
import { sender } from '../examples/sender.ts'
import { slowProcessor } from '../examples/slow-processor.ts'
import { ManualClock } from './index.ts'

interface Given {
  readonly clock: ManualClock
  readonly log: (line: string) => void
}

/** Runs an example to its end; gives its lines with the time of each. */
async function run(example: (given: Given) => Promise<void>): Promise<{ lines: string[]; atMs: number[] }> {
  const clock = new ManualClock()
  const lines: string[] = []
  const atMs: number[] = []
  let isOver = false
  const log = (line: string) => {
    lines.push(line)
    atMs.push(clock.monotonicMs())
  }
  const running = example({ clock, log }).finally(() => {
    isOver = true
  })
  while (!isOver) await clock.advanceAsync(100)
  await running
  expect(clock.pending).toBe(0)
  return { lines, atMs }
}

test('the slow processor gives two results each 100 ms, and its source is held back instead of piling up', async () => {
  const { lines, atMs } = await run((given) => slowProcessor({ ...given, count: 20 }))
  expect(lines).toEqual(Array.from({ length: 20 }, (_, i) => `event-${i} processed`))
  expect(atMs.at(-1)).toBe(1_020)
})

test('the dynamic throttle pairs a tick a second with the latest events', async () => {
  const { lines, atMs } = await run((given) => dynamicThrottle({ ...given, count: 3 }))
  expect(lines).toEqual(['event-0', 'event-1', 'event-2'])
  expect(atMs).toEqual([1_000, 2_000, 3_000])
})

test('the sender keeps its pause between records and sends them all, in order', async () => {
  const { lines, atMs } = await run((given) => sender({ ...given, count: 50 }))
  expect(lines).toEqual(Array.from({ length: 50 }, (_, i) => `record ${i + 1} sent`))
  expect(atMs).toEqual(Array.from({ length: 50 }, (_, i) => (i + 1) * 10 + 50))
})

test('limitRate with a concurrency of 10 works off ten records each 100 ms', async () => {
  const { lines, atMs } = await run((given) => limitRate({ ...given, count: 40 }))
  expect(new Set(lines).size).toBe(40)
  expect(atMs.at(-1)).toBe(400)
})

test('the buffer of 100 gives its hundred and then says that it overflowed', async () => {
  const { lines } = await run(backpressureBuffer)
  expect(lines.slice(0, -1)).toEqual(Array.from({ length: lines.length - 1 }, (_, i) => `record ${i + 1}`))
  expect(lines.length).toBeGreaterThan(100)
  expect(lines.at(-1)).toBe('BufferOverflowError: The buffer of 100 is full')
})

test('the dropping buffer tells each drop, and the newest thousand come through', async () => {
  const { lines } = await run(backpressureDrop)
  const dropped = lines.filter((line) => line.startsWith('Dropped'))
  expect(dropped.length).toBeGreaterThan(400)
  expect(lines).toHaveLength(1_500)
  expect(lines.at(-1)).toBe('record 1500')
})
