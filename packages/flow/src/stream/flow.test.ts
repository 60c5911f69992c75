import { getEventListeners } from 'node:events'
import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { describe, expect, test, vi } from 'vitest'
import { Flow, ManualClock } from '../index.ts'
import { Probe } from '../testing/probe.ts'
import { puppet, settled } from '../testing/streams.ts'

describe('sources and sinks', () => {
  test.each([
    ['an iterable', () => new Set([1, 2, 3])],
    ['an async iterable', () => Flow.range(1, 3)],
    ['a Node stream', () => Readable.from([1, 2, 3])],
    ['a web stream', () => ReadableStream.from([1, 2, 3])],
    ['a publisher', () => Flow.range(1, 3).toPublisher()],
  ])('a flow starts from %s', async (_, source) => {
    expect(await Flow.from<number>(source() as Iterable<number>).toArray()).toEqual([1, 2, 3])
  })

  test('a flow becomes a Node stream, a web stream, a publisher and an async iterable', async () => {
    const flow = Flow.range(1, 3)
    expect(await flow.toNodeStream().toArray()).toEqual([1, 2, 3])
    expect(await Array.fromAsync(flow.toWebStream())).toEqual([1, 2, 3])
    expect(await Flow.from(flow.toPublisher()).toArray()).toEqual([1, 2, 3])
    expect(await Array.fromAsync(flow)).toEqual([1, 2, 3])
  })

  test('nothing runs before somebody asks, and each consumer starts it anew', async () => {
    const probe = new Probe({ clock: new ManualClock(), count: 2 })
    const flow = Flow.from(probe)
      .buffer(1)
      .mapAsync(1, (n) => n)
      .retry()
    expect(probe.opened).toBe(0)
    expect([await flow.toArray(), await flow.toArray()]).toEqual([
      [0, 1],
      [0, 1],
    ])
    expect(probe.opened).toBe(2)
  })

  test('a flow of a flow is that flow', () => {
    const flow = Flow.range(0, 1)
    expect(Flow.from(flow)).toBe(flow)
  })

  test('steps side by side are one stage, in their order', async () => {
    const seen: number[] = []
    const flow = Flow.range(0, 5)
      .map((n) => n * 2)
      .tap((n) => seen.push(n))
      .filter((n) => n % 4 === 0)
      .map((n) => `${n}`)
    expect(await flow.toArray()).toEqual(['0', '4', '8'])
    expect(seen).toEqual([0, 2, 4, 6, 8])
  })

  test('forEach waits for the consumer before it takes the next', async () => {
    const clock = new ManualClock()
    const probe = new Probe({ clock, count: 3 })
    const given: number[] = []
    const done = Flow.from(probe).forEach(async () => {
      given.push(probe.given)
      await clock.sleep(10)
    })
    await clock.advanceAsync(100)
    await done
    expect(given).toEqual([1, 2, 3])
  })

  test('forEach waits for whatever has a then, not for native promises alone', async () => {
    const order: number[] = []
    const later = (n: number) => ({
      // oxlint-disable-next-line unicorn/no-thenable
      then: (resolve: () => void) =>
        setImmediate(() => {
          order.push(n)
          resolve()
        }),
    })
    await Flow.range(0, 3)
      .tap((n) => order.push(n * 10))
      .forEach(later)
    expect(order).toEqual([0, 0, 10, 1, 20, 2])
  })

  test('a consumer that throws closes the source and rejects with its error', async () => {
    for (const consume of [
      () => Promise.reject(new Error('mine')),
      () => {
        throw new Error('mine')
      },
    ]) {
      const probe = new Probe({ clock: new ManualClock(), count: 9 })
      await expect(Flow.from(probe).buffer(2).forEach(consume)).rejects.toThrow('mine')
      expect(probe.closed).toBe(1)
    }
  })

  test('an abort ends a flow that waits for a source that hangs, with the reason, and leaves no listener', async () => {
    const closed = vi.fn()
    const hanging = { next: () => new Promise<never>(() => {}), return: closed }
    const controller = new AbortController()
    const flow = Flow.from({ [Symbol.asyncIterator]: () => hanging })
      .map((n) => n)
      .mapAsync(2, (n) => n)
      .buffer(3)
    const run = flow.forEach(() => {}, { signal: controller.signal })
    await settled()
    controller.abort(new Error('enough'))
    await expect(run).rejects.toThrow('enough')
    expect(closed).toHaveBeenCalledOnce()
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
    await expect(flow.toArray({ signal: controller.signal })).rejects.toThrow('enough')
  })

  test('a sync iterable is closed when it is left', async () => {
    const closed = vi.fn()
    function* numbers() {
      try {
        for (let n = 0; ; n++) yield n
      } finally {
        closed()
      }
    }
    expect(await Flow.from(numbers()).take(2).toArray()).toEqual([0, 1])
    expect(closed).toHaveBeenCalledOnce()
  })

  test('an abort ends a flow without operators too, while its source hangs', async () => {
    for (const apply of [
      (flow: Flow<never>) => flow,
      (flow: Flow<never>) => flow.map((n) => n),
      (flow: Flow<never>) => flow.take(1),
    ]) {
      const hanging = { next: () => new Promise<never>(() => {}) }
      const controller = new AbortController()
      const run = apply(Flow.from({ [Symbol.asyncIterator]: () => hanging })).toArray({ signal: controller.signal })
      await settled()
      controller.abort(new Error('enough'))
      await expect(run).rejects.toThrow('enough')
    }
  })

  test('nothing is consumed after an abort, also of what was on its way', async () => {
    const controller = new AbortController()
    const running = Flow.range(0, 3).forEach(() => expect.unreachable(), { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(running).rejects.toThrow('enough')
  })

  test('leaving tells work in progress by its signal', async () => {
    let signal: AbortSignal | undefined
    const consumer = puppet(
      Flow.range(0, 2).mapAsyncUnordered(2, (n, given) => {
        signal = given
        return n === 0 ? n : new Promise<never>(() => {})
      }),
    )
    await consumer.next()
    expect(signal?.aborted).toBe(false)
    await consumer.leave()
    expect(signal?.aborted).toBe(true)
  })

  test('a tick that finds the consumer busy is left out', async () => {
    const clock = new ManualClock()
    const at: number[] = []
    const run = Flow.tick(10, 'tick', { clock })
      .take(3)
      .forEach(async () => {
        at.push(clock.monotonicMs())
        await clock.sleep(25)
      })
    await clock.advanceAsync(200)
    await run
    expect(at).toEqual([10, 40, 70])
    expect(clock.pending).toBe(0)
  })

  test('ticks keep their beat, and after a standstill go on from there', async () => {
    const clock = new ManualClock()
    const at: number[] = []
    const run = Flow.tick(10, 1, { clock })
      .take(5)
      .forEach(() => void at.push(clock.monotonicMs()))
    await clock.advanceAsync(20)
    // The clock moves past many due times before the timer runs, as after SIGSTOP.
    const original = clock.monotonicMs()
    vi.spyOn(clock, 'monotonicMs').mockImplementationOnce(() => original + 95)
    await clock.advanceAsync(200)
    await run
    expect(at).toEqual([10, 20, 30, 40, 135])
  })
})
