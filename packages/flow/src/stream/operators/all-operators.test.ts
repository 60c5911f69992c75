import { describe, expect, test } from 'vitest'
import { Flow, ManualClock } from '../../index.ts'
import { Probe } from '../../testing/probe.ts'
import { puppet } from '../../testing/streams.ts'

const operators: [string, (flow: Flow<number>) => Flow<unknown>][] = [
  ['map', (flow) => flow.map((n) => n)],
  ['mapAsync', (flow) => flow.mapAsync(1, (n) => n)],
  ['mapAsyncUnordered', (flow) => flow.mapAsyncUnordered(1, (n) => n)],
  ['flatMap', (flow) => flow.flatMap((n) => [n], { concurrency: 1 })],
  ['flatMapSequential', (flow) => flow.flatMapSequential((n) => [n], { concurrency: 1, prefetch: 1 })],
  ['buffer', (flow) => flow.buffer(1)],
  ['delayElements', (flow) => flow.delayElements(0)],
  ['throttle', (flow) => flow.throttle({ elements: 9 })],
  ['conflate', (flow) => flow.conflate((_, n) => n)],
  [
    'batch',
    (flow) =>
      flow.batch(
        1,
        (n) => n,
        (_, n) => n,
      ),
  ],
  ['groupedWithin', (flow) => flow.groupedWithin(1, 1).map(([n]) => n)],
  ['zip', (flow) => flow.zip([0, 1, 2, 3]).map(([n]) => n)],
  ['merge', (flow) => flow.merge()],
  ['retry', (flow) => flow.retry()],
  ['take', (flow) => flow.take(3)],
]

describe('what all operators promise', () => {
  test.each(operators)('%s serves several that ask at a time, and then tells each the end', async (_, apply) => {
    const clock = new ManualClock()
    const iterator = apply(Flow.range(0, 3, { clock }))[Symbol.asyncIterator]()
    const asked = Promise.all([1, 2, 3, 4, 5].map(() => iterator.next()))
    await clock.advanceAsync(10)
    const results = await asked
    expect(results.map(({ value }) => value)).toEqual([0, 1, 2, undefined, undefined])
    expect(results.map(({ done }) => done)).toEqual([false, false, false, true, true])
  })

  test.each(operators)(
    '%s closes its source once when it is left, and gives the end from then on',
    async (_, apply) => {
      const clock = new ManualClock()
      for (const begins of [true, false]) {
        const probe = new Probe({ clock, count: 9, delaysMs: [1] })
        const iterator = apply(Flow.from(probe, { clock }))[Symbol.asyncIterator]()
        if (begins) {
          const first = iterator.next()
          await clock.advanceAsync(2)
          expect((await first).value).toBe(0)
        }
        expect(await iterator.return!()).toEqual({ done: true, value: undefined })
        expect(await iterator.next()).toEqual({ done: true, value: undefined })
        await iterator.return!()
        // The source's own wait, which it cannot leave.
        await clock.advanceAsync(1)
        expect([probe.closed, clock.pending]).toEqual([probe.opened, 0])
      }
    },
  )

  test.each(operators.filter(([name]) => name !== 'merge'))(
    '%s tells who leaves it that its source cannot be closed',
    async (_, apply) => {
      const clock = new ManualClock()
      let n = 0
      const source = {
        next: async () => ({ done: false as const, value: n++ }),
        return: () => Promise.reject(new Error('cannot close')),
      }
      const iterator = apply(Flow.from<number>({ [Symbol.asyncIterator]: () => source }, { clock }))[
        Symbol.asyncIterator
      ]()
      await expect(iterator.return!()).rejects.toThrow('cannot close')
      expect(await iterator.next()).toEqual({ done: true, value: undefined })
    },
  )

  test('a merge that was left closes each of its sources', async () => {
    const clock = new ManualClock()
    const probes = [1, 2].map(() => new Probe({ clock, count: 9, delaysMs: [1] }))
    const consumer = puppet(Flow.from(probes[0]!, { clock }).merge(probes[1]!))
    const first = consumer.next()
    await clock.advanceAsync(2)
    await first
    await consumer.leave()
    await clock.advanceAsync(1)
    expect(probes.map(({ closed }) => closed)).toEqual([1, 1])
  })
})
