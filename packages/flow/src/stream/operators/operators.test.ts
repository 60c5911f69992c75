import { describe, expect, test, vi } from 'vitest'
import { Flow, ManualClock, RateLimitError } from '../../index.ts'
import { Probe } from '../../testing/probe.ts'
import { puppet, byHand, settled } from '../../testing/streams.ts'

describe('what each operator promises', () => {
  test('flatMap takes no more ahead than its concurrency', async () => {
    let given = 0
    const inner = function* () {
      for (;;) yield given++
    }
    const consumer = puppet(Flow.from([0, 1, 2, 3]).flatMap(inner, { concurrency: 2 }))
    for (let taken = 1; taken < 6; taken++) {
      await consumer.next()
      await settled()
      expect(given).toBe(taken + 2)
    }
    await consumer.leave()
  })

  test('mapAsync has no more than its concurrency in flight, and is as quick as that allows', async () => {
    const clock = new ManualClock()
    let inFlight = 0
    let most = 0
    const run = Flow.range(0, 6)
      .mapAsync(3, async (n) => {
        most = Math.max(most, ++inFlight)
        await clock.sleep(10)
        inFlight--
        return n
      })
      .toArray()
    await clock.advanceAsync(20)
    expect(await run).toEqual([0, 1, 2, 3, 4, 5])
    expect(most).toBe(3)
  })

  test('mapAsyncUnordered gives what is ready first', async () => {
    const clock = new ManualClock()
    const run = Flow.from([30, 10, 20])
      .mapAsyncUnordered(3, async (ms) => {
        await clock.sleep(ms)
        return ms
      })
      .toArray()
    await clock.advanceAsync(30)
    expect(await run).toEqual([10, 20, 30])
  })

  test('flatMap interleaves up to its concurrency; flatMapSequential keeps the order and reads ahead', async () => {
    const clock = new ManualClock()
    const open: number[] = []
    const inner = (n: number) => {
      open.push(n)
      return Flow.from([n, n], { clock }).delayElements(n)
    }
    const merged = Flow.from([30, 20, 10], { clock }).flatMap(inner, { concurrency: 2 }).toArray()
    await clock.advanceAsync(0)
    expect(open).toEqual([30, 20])
    await clock.advanceAsync(60)
    expect(await merged).toEqual([20, 30, 20, 10, 30, 10])
    const sequential = Flow.from([30, 20, 10], { clock }).flatMapSequential(inner).toArray()
    await clock.advanceAsync(60)
    expect(await sequential).toEqual([30, 30, 20, 20, 10, 10])
  })

  test('a buffer goes on taking while nobody asks, up to its size', async () => {
    const probe = new Probe({ clock: new ManualClock(), count: 9 })
    const consumer = puppet(Flow.from(probe).buffer(3))
    expect(await consumer.next()).toBe(0)
    await settled()
    expect(probe.given).toBe(4)
    await consumer.next()
    await settled()
    expect(probe.given).toBe(5)
    await consumer.leave()
    expect(probe.closed).toBe(1)
  })

  test('limitRate asks for more when three quarters of its elements are used', async () => {
    const probe = new Probe({ clock: new ManualClock(), count: 20 })
    const consumer = puppet(Flow.from(probe).limitRate(8))
    const given: number[] = []
    for (let i = 0; i < 8; i++) {
      await consumer.next()
      await settled()
      given.push(probe.given)
    }
    expect(given).toEqual([9, 9, 9, 9, 9, 9, 15, 15])
    await consumer.leave()
  })

  test.each([
    ['drop-oldest', [1], [2], [3, 4]],
    ['drop-newest', [1], [4], [2, 3]],
    ['drop-buffer', [1], [2, 3], [4]],
  ] as const)('a full buffer under %s', async (overflow, first, dropped, left) => {
    const told: number[] = []
    const { source, push, end } = byHand<number>()
    const consumer = puppet(Flow.from(source).buffer(2, overflow, (n) => told.push(n)))
    const taken = consumer.next()
    await push(1, 2, 3, 4)
    expect([await taken]).toEqual(first)
    expect(told).toEqual(dropped)
    end()
    const rest: number[] = []
    for (let n = await consumer.next(); n !== undefined; n = await consumer.next()) rest.push(n)
    expect(rest).toEqual(left)
  })

  test('a full buffer that fails gives what it holds and then its error', async () => {
    const { source, push } = byHand<number>()
    const consumer = puppet(Flow.from(source).onBackpressureBuffer(2))
    const taken = consumer.next()
    await push(1, 2, 3, 4)
    expect([await taken, await consumer.next(), await consumer.next()]).toEqual([1, 2, 3])
    await expect(consumer.next()).rejects.toMatchObject({ code: 'buffer_overflow', size: 2, retriable: true })
    expect(await consumer.next()).toBeUndefined()
  })

  test('onBackpressureBuffer drops the newest with a listener, the oldest where that is said', async () => {
    for (const [overflow, expected] of [
      [undefined, 3],
      ['drop-oldest', 2],
    ] as const) {
      const told: number[] = []
      const { source, push } = byHand<number>()
      const consumer = puppet(Flow.from(source).onBackpressureBuffer(1, (n) => told.push(n), overflow))
      const taken = consumer.next()
      await push(1, 2, 3)
      await taken
      expect(told).toEqual([expected])
    }
  })

  test('a listener of drops that throws becomes a warning', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const { source, push } = byHand<number>()
    const consumer = puppet(
      Flow.from(source).onBackpressureDrop(() => {
        throw new Error('broken')
      }),
    )
    const first = consumer.next()
    await push(1, 2)
    expect(await first).toBe(1)
    expect(warn).toHaveBeenCalledOnce()
    warn.mockRestore()
  })

  test('throttle lets a burst pass and then keeps the rate; enforcing fails instead', async () => {
    const clock = new ManualClock()
    const at: number[] = []
    const flow = Flow.range(0, 4, { clock })
    const run = flow.throttle({ elements: 1, perMs: 10, burst: 2 }).forEach(() => void at.push(clock.monotonicMs()))
    await clock.advanceAsync(50)
    await run
    expect(at).toEqual([0, 0, 10, 20])
    const enforced = flow.throttle({ elements: 1, perMs: 10, burst: 2, mode: 'enforcing' })
    await expect(enforced.toArray()).rejects.toBeInstanceOf(RateLimitError)
    const probe = new Probe({ clock, count: 9 })
    const closing = Flow.from(probe, { clock }).throttle({ elements: 1, mode: 'enforcing' })
    await expect(closing.toArray()).rejects.toMatchObject({ code: 'rate_limited', cost: 1 })
    expect([probe.given, probe.closed]).toEqual([2, 1])
  })

  test('an element that waits for its time is given before the end, whoever asks meanwhile', async () => {
    const clock = new ManualClock()
    const iterator = Flow.from([0, 1], { clock }).throttle({ elements: 1, perMs: 10 })[Symbol.asyncIterator]()
    expect(await iterator.next()).toEqual({ done: false, value: 0 })
    const second = iterator.next()
    await settled()
    const third = iterator.next()
    await clock.advanceAsync(10)
    expect([await second, await third]).toEqual([
      { done: false, value: 1 },
      { done: true, value: undefined },
    ])
  })

  test('delayElements gives each its delay, one after the other', async () => {
    const clock = new ManualClock()
    const at: number[] = []
    const run = Flow.range(0, 3, { clock })
      .delayElements(10)
      .forEach(() => void at.push(clock.monotonicMs()))
    await clock.advanceAsync(30)
    await run
    expect(at).toEqual([10, 20, 30])
  })

  test('conflate makes one of what came while the consumer was busy', async () => {
    const { source, push, end } = byHand<number>()
    const consumer = puppet(Flow.from(source).conflate((a, b) => a + b))
    const first = consumer.next()
    await push(1)
    expect(await first).toBe(1)
    await push(2, 3, 4)
    expect(await consumer.next()).toBe(9)
    await push(5)
    end()
    expect([await consumer.next(), await consumer.next()]).toEqual([5, undefined])
  })

  test('batch holds the source back at its size', async () => {
    const probe = new Probe({ clock: new ManualClock(), count: 9 })
    const consumer = puppet(
      Flow.from(probe).batch(
        3,
        (n) => [n],
        (all, n) => [...all, n],
      ),
    )
    await consumer.next()
    await settled()
    expect(probe.given).toBe(4)
    expect(await consumer.next()).toEqual([1, 2, 3])
  })

  test('a group goes when it is full or when its time is over, never empty', async () => {
    const clock = new ManualClock()
    const { source, push, end } = byHand<number>()
    const groups: [number, readonly number[]][] = []
    const run = Flow.from(source, { clock })
      .groupedWithin(2, 100)
      .forEach((group) => void groups.push([clock.monotonicMs(), group]))
    await settled()
    await push(1, 2, 3)
    await clock.advanceAsync(99)
    expect(groups).toEqual([[0, [1, 2]]])
    await clock.advanceAsync(1)
    await clock.advanceAsync(500)
    await push(4)
    end()
    await run
    expect(groups.slice(1)).toEqual([
      [100, [3]],
      [600, [4]],
    ])
    expect(clock.pending).toBe(0)
  })

  test('while a full group waits to be taken, the next one fills up but for one', async () => {
    const probe = new Probe({ clock: new ManualClock(), count: 20 })
    const consumer = puppet(Flow.from(probe, { clock: new ManualClock() }).groupedWithin(3, 100))
    expect(await consumer.next()).toEqual([0, 1, 2])
    await settled()
    expect(probe.given).toBe(3 + 3 + 2)
    await consumer.leave()
  })

  test('a group whose time is over while the consumer is busy goes on growing until it asks', async () => {
    const clock = new ManualClock()
    const { source, push } = byHand<number>()
    const consumer = puppet(Flow.from(source, { clock }).groupedWithin(3, 10))
    const first = consumer.next()
    await push(1)
    await clock.advanceAsync(10)
    expect(await first).toEqual([1])
    await push(2)
    await clock.advanceAsync(10)
    await push(3)
    expect(await consumer.next()).toEqual([2, 3])
    await consumer.leave()
  })

  test('zip ends with the shorter one and closes the other', async () => {
    const probe = new Probe({ clock: new ManualClock(), count: 9 })
    expect(await Flow.from(['a', 'b']).zip(probe).toArray()).toEqual([
      ['a', 0],
      ['b', 1],
    ])
    expect(probe.closed).toBe(1)
    const left = new Probe({ clock: new ManualClock(), count: 9 })
    await expect(
      Flow.from(left)
        .zip(new Probe({ clock: new ManualClock(), count: 5, failAt: 1 }))
        .toArray(),
    ).rejects.toThrow('source')
    expect(left.closed).toBe(1)
  })

  test('merge gives the elements of all', async () => {
    const all = await Flow.range(0, 3).merge([10, 11], Flow.range(20, 1)).toArray()
    expect(all.toSorted((a, b) => a - b)).toEqual([0, 1, 2, 10, 11, 20])
  })

  test('take of nothing opens nothing more than it must, and take closes with its last', async () => {
    const probe = new Probe({ clock: new ManualClock(), count: 9 })
    expect(await Flow.from(probe).take(0).toArray()).toEqual([])
    expect(probe.given).toBe(0)
    const consumer = puppet(Flow.from(probe).take(2))
    await consumer.next()
    await consumer.next()
    expect([probe.given, probe.closed]).toEqual([2, 2])
    await consumer.leave()
    expect(probe.closed).toBe(2)
  })
})
