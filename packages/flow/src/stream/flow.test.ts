import { getEventListeners } from 'node:events'
import { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { describe, expect, test, vi } from 'vitest'
import { Flow, ManualClock, RateLimitError } from '../index.ts'
import type { Overflow, Publisher } from '../index.ts'
import { Probe } from '../testing/probe.ts'

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A consumer that takes one element when told to. */
function puppet<T>(flow: Flow<T>) {
  const iterator = flow[Symbol.asyncIterator]()
  const next = async () => (await iterator.next()).value as T
  return { next, leave: () => iterator.return!() }
}

/** A source that is fed by hand. */
function tap<T>() {
  const items: T[] = []
  let wake: (() => void) | undefined
  let isOver = false
  async function* generate() {
    for (;;) {
      while (items.length > 0) yield items.shift() as T
      if (isOver) return
      await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  return {
    source: { [Symbol.asyncIterator]: generate },
    push: async (...more: T[]) => {
      items.push(...more)
      wake?.()
      await settled()
    },
    end: () => {
      isOver = true
      wake?.()
    },
  }
}

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
]

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

describe('failures', () => {
  test('a source that cannot be opened rejects', async () => {
    const broken = {
      [Symbol.asyncIterator]: () => {
        throw new Error('no connection')
      },
    }
    await expect(Flow.from(broken).toArray()).rejects.toThrow('no connection')
    await expect(
      Flow.range(0, 1)
        .flatMap(() => broken)
        .toArray(),
    ).rejects.toThrow('no connection')
    await expect(
      Flow.range(0, 1)
        .flatMapSequential(() => broken)
        .toArray(),
    ).rejects.toThrow('no connection')
    await expect(Flow.from(broken).retry({ retries: 1 }).toArray()).rejects.toThrow('no connection')
  })

  test('an iterator whose next throws synchronously rejects', async () => {
    const broken = {
      next: () => {
        throw new Error('broken')
      },
    }
    await expect(Flow.from({ [Symbol.asyncIterator]: () => broken }).toArray()).rejects.toThrow('broken')
    await expect(Flow.from({ [Symbol.iterator]: () => broken }).toArray()).rejects.toThrow('broken')
  })

  test('an iterator whose return throws is told, and nothing is stuck', async () => {
    const source = () => ({
      [Symbol.asyncIterator]: () => ({
        next: async () => ({ done: false as const, value: 1 }),
        return: () => Promise.reject(new Error('cannot close')),
      }),
    })
    await expect(Flow.from(source()).take(1).toArray()).rejects.toThrow('cannot close')
    await expect(puppet(Flow.from(source()).map((n) => n)).leave()).rejects.toThrow('cannot close')
    const buffered = puppet(Flow.from(source()).mapAsync(1, (n) => n))
    await buffered.next()
    await settled()
    await expect(buffered.leave()).rejects.toThrow('cannot close')
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    await expect(Flow.from(source()).forEach(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
    expect(String(warn.mock.calls[0]?.[0])).toContain('cannot close')
    warn.mockRestore()
  })

  test.each([
    ['map', (flow: Flow<number>, fail: () => never) => flow.map(fail)],
    ['filter', (flow: Flow<number>, fail: () => never) => flow.filter(fail)],
    ['tap', (flow: Flow<number>, fail: () => never) => flow.tap(fail)],
    ['mapAsync', (flow: Flow<number>, fail: () => never) => flow.mapAsync(2, fail)],
    ['mapAsyncUnordered', (flow: Flow<number>, fail: () => never) => flow.mapAsyncUnordered(2, fail)],
    ['flatMap', (flow: Flow<number>, fail: () => never) => flow.flatMap(fail)],
    ['flatMapSequential', (flow: Flow<number>, fail: () => never) => flow.flatMapSequential(fail)],
    ['batch seed', (flow: Flow<number>, fail: () => never) => flow.batch(2, fail, (a) => a)],
  ])('a function of %s that throws fails the flow and closes the source', async (_, apply) => {
    const probe = new Probe({ clock: new ManualClock(), count: 9 })
    const fail = (): never => {
      throw new Error('thrown')
    }
    await expect(apply(Flow.from(probe), fail).toArray()).rejects.toThrow('thrown')
    expect(probe.closed).toBe(1)
  })

  test('a failed flow ends after its error', async () => {
    const failing = Flow.range(0, 3).map(() => {
      throw new Error('thrown')
    })
    const iterator = failing[Symbol.asyncIterator]()
    await expect(iterator.next()).rejects.toThrow('thrown')
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  test('in order, a failure waits for its place; unordered, it comes at once', async () => {
    const work = (n: number) => (n === 1 ? Promise.reject(new Error('second')) : settled().then(() => n))
    const out: number[] = []
    await expect(
      Flow.range(0, 3)
        .mapAsync(3, work)
        .forEach((n) => void out.push(n)),
    ).rejects.toThrow('second')
    expect(out).toEqual([0])
    out.length = 0
    await expect(
      Flow.range(0, 3)
        .mapAsyncUnordered(3, work)
        .forEach((n) => void out.push(n)),
    ).rejects.toThrow('second')
    expect(out).toEqual([])
  })

  test('once a failure is known, no further work begins, and what came before it still comes out', async () => {
    const clock = new ManualClock()
    const begun: number[] = []
    const out: number[] = []
    const running = Flow.range(0, 9, { clock })
      .mapAsync(3, async (n) => {
        begun.push(n)
        await clock.sleep([5, 10, 1][n] ?? 1)
        if (n === 2) throw new Error('work')
        return n
      })
      .forEach((n) => out.push(n))
    const failed = running.catch((error: unknown) => error)
    await clock.advanceAsync(10)
    expect(await failed).toMatchObject({ message: 'work' })
    expect([begun, out]).toEqual([
      [0, 1, 2],
      [0, 1],
    ])
  })

  test('flatMapSequential fails at the place of the element that it cannot open', async () => {
    const clock = new ManualClock()
    const out: number[] = []
    const begun: number[] = []
    const running = Flow.range(0, 9, { clock })
      .flatMapSequential(
        (n) => {
          begun.push(n)
          if (n === 1) throw new Error('cannot open')
          return Flow.from([n, n], { clock }).delayElements(5)
        },
        { concurrency: 3 },
      )
      .forEach((n) => out.push(n))
    const failed = running.catch((error: unknown) => error)
    await clock.advanceAsync(20)
    expect(await failed).toMatchObject({ message: 'cannot open' })
    expect([begun, out]).toEqual([
      [0, 1],
      [0, 0],
    ])
    expect(clock.pending).toBe(0)
  })

  test('retry starts anew as often as it may, after its delay, for what is worth it', async () => {
    const clock = new ManualClock()
    let opened = 0
    const source = {
      async *[Symbol.asyncIterator]() {
        yield ++opened
        if (opened < 3) throw new Error('lost')
      },
    }
    const run = Flow.from(source, { clock }).retry({ retries: 2, delayMs: 100 }).toArray()
    await clock.advanceAsync(199)
    expect(opened).toBe(2)
    await clock.advanceAsync(1)
    expect(await run).toEqual([1, 2, 3])
    opened = 0
    const exhausted = Flow.from(source, { clock }).retry({ retries: 1 }).toArray().catch(String)
    await clock.advanceAsync(0)
    expect(await exhausted).toBe('Error: lost')
    expect(opened).toBe(2)
    opened = 0
    await expect(
      Flow.from(source, { clock })
        .retry({ isRetryable: () => false })
        .toArray(),
    ).rejects.toThrow('lost')
    expect(opened).toBe(1)
  })
})

test('retry tries again where the first opening fails too', async () => {
  let opened = 0
  const flow = Flow.from<number>({
    [Symbol.asyncIterator]: () => {
      if (opened++ % 2 === 0) throw new Error('not yet')
      return Flow.range(1, 2)[Symbol.asyncIterator]()
    },
  })
  expect(await flow.retry().toArray()).toEqual([1, 2])
  await expect(flow.retry({ retries: 0 }).toArray()).rejects.toThrow('not yet')
  expect(opened).toBe(3)
})

test.each([
  [
    'throws',
    () => {
      throw new Error('no delay')
    },
    'no delay',
  ],
  ['gives no number', () => ({ duration: Number.NaN, next: () => undefined as never }), 'delayMs is NaN'],
])('a back-off that %s fails the flow', async (_, next, message) => {
  const failing = Flow.range(0, 1).map(() => {
    throw new Error('source')
  })
  await expect(failing.retry({ delayMs: { next } }).toArray()).rejects.toThrow(message)
})

test('leaving a flow between two tries leaves no timer, and it does not start again', async () => {
  const clock = new ManualClock()
  const probe = new Probe({ clock, count: 9, failAt: 0 })
  const iterator = Flow.from(probe, { clock }).retry({ delayMs: 100 })[Symbol.asyncIterator]()
  const next = iterator.next()
  await clock.advanceAsync(50)
  expect(clock.pending).toBe(1)
  await iterator.return!()
  expect([(await next).done, clock.pending, probe.opened]).toEqual([true, 0, 1])
})

test('a flow of an array ends where it was left, and where a step failed', async () => {
  const left = Flow.from([1, 2, 3])[Symbol.asyncIterator]()
  await left.next()
  await left.return!()
  expect((await left.next()).done).toBe(true)
  const fail = (): never => {
    throw new Error('thrown')
  }
  const failed = Flow.from([1, 2, 3]).map(fail)[Symbol.asyncIterator]()
  await expect(failed.next()).rejects.toThrow('thrown')
  expect((await failed.next()).done).toBe(true)
})

test('a source that has ended or failed by itself is not closed once more', async () => {
  for (const failAt of [undefined, 1]) {
    const probe = new Probe({ clock: new ManualClock(), count: 1, failAt })
    const iterator = Flow.from(probe)[Symbol.asyncIterator]()
    await iterator.next()
    await iterator.next().catch(() => {})
    expect(probe.isEnded).toBe(true)
    await iterator.return!()
    expect(probe.closed).toBe(0)
  }
})

describe('what operators promise', () => {
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
    const { source, push, end } = tap<number>()
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
    const { source, push } = tap<number>()
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
      const { source, push } = tap<number>()
      const consumer = puppet(Flow.from(source).onBackpressureBuffer(1, (n) => told.push(n), overflow))
      const taken = consumer.next()
      await push(1, 2, 3)
      await taken
      expect(told).toEqual([expected])
    }
  })

  test('a listener of drops that throws becomes a warning', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const { source, push } = tap<number>()
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
    const { source, push, end } = tap<number>()
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
    const { source, push, end } = tap<number>()
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
    const { source, push } = tap<number>()
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

test.each<[string, () => unknown]>([
  ['source', () => Flow.from(7 as never)],
  ['source', () => Flow.from(null as never)],
  ['source', () => Flow.range(0, 1).zip(undefined as never)],
  ['source', () => Flow.range(0, 1).merge({} as never)],
  ['intervalMs', () => Flow.tick(0, 1)],
  ['first', () => Flow.range(0.5, 1)],
  ['count', () => Flow.range(0, -1)],
  ['count', () => Flow.range(0, 1).take(Number.NaN)],
  ['mapper', () => Flow.range(0, 1).map(undefined as never)],
  ['isWanted', () => Flow.range(0, 1).filter(7 as never)],
  ['look', () => Flow.range(0, 1).tap(null as never)],
  ['concurrency', () => Flow.range(0, 1).mapAsync(0, (n) => n)],
  ['mapper', () => Flow.range(0, 1).mapAsync(1, undefined as never)],
  ['concurrency', () => Flow.range(0, 1).mapAsyncUnordered(1.5, (n) => n)],
  ['mapper', () => Flow.range(0, 1).mapAsyncUnordered(1, undefined as never)],
  ['concurrency', () => Flow.range(0, 1).flatMap(() => [], { concurrency: 0 })],
  ['mapper', () => Flow.range(0, 1).flatMap(undefined as never)],
  ['concurrency', () => Flow.range(0, 1).flatMapSequential(() => [], { concurrency: 0 })],
  ['prefetch', () => Flow.range(0, 1).flatMapSequential(() => [], { prefetch: 0 })],
  ['mapper', () => Flow.range(0, 1).flatMapSequential(undefined as never)],
  ['size', () => Flow.range(0, 1).buffer(0)],
  ['overflow', () => Flow.range(0, 1).buffer(1, 'drop' as Overflow)],
  ['onDrop', () => Flow.range(0, 1).buffer(1, 'drop-oldest')],
  ['onDrop', () => Flow.range(0, 1).onBackpressureDrop(undefined as never)],
  ['size', () => Flow.range(0, 1).onBackpressureBuffer(Number.NaN)],
  ['count', () => Flow.range(0, 1).limitRate(0)],
  ['delayMs', () => Flow.range(0, 1).delayElements(-1)],
  [
    'max',
    () =>
      Flow.range(0, 1).batch(
        0,
        (n) => n,
        (n) => n,
      ),
  ],
  ['seed', () => Flow.range(0, 1).batch(1, undefined as never, (n) => n)],
  ['aggregate', () => Flow.range(0, 1).conflate(undefined as never)],
  ['size', () => Flow.range(0, 1).groupedWithin(0, 1)],
  ['withinMs', () => Flow.range(0, 1).groupedWithin(1, 0)],
  ['retries', () => Flow.range(0, 1).retry({ retries: -1 })],
  ['delayMs', () => Flow.range(0, 1).retry({ delayMs: Number.NaN })],
  ['isRetryable', () => Flow.range(0, 1).retry({ isRetryable: 7 as never })],
  ['elements', () => Flow.range(0, 1).throttle({ elements: 0 })],
  ['perMs', () => Flow.range(0, 1).throttle({ elements: 1, perMs: Number.NaN })],
  ['burst', () => Flow.range(0, 1).throttle({ elements: 1, burst: 0 })],
  ['mode', () => Flow.range(0, 1).throttle({ elements: 1, mode: 'strict' as never })],
  ['part', () => Flow.range(0, 1).via(undefined as never)],
  ['consume', () => Flow.range(0, 1).forEach(undefined as never)],
])('a bad %s is refused by name, before anything runs', (field, make) => {
  expect(make).toThrow(expect.objectContaining({ code: 'config_invalid', field }))
})

test('what cannot be opened closes what was opened before it', async () => {
  const probe = new Probe({ clock: new ManualClock(), count: 3 })
  const broken = {
    [Symbol.asyncIterator]: () => {
      throw new Error('cannot open')
    },
  }
  await expect(Flow.from(probe).zip(broken).toArray()).rejects.toThrow('cannot open')
  expect([probe.opened, probe.closed]).toEqual([1, 1])
})

test('a publisher whose subscribe throws fails the flow', async () => {
  const broken: Publisher<number> = {
    subscribe: () => {
      throw new Error('no')
    },
  }
  await expect(Flow.from(broken).toArray()).rejects.toThrow('no')
})

test('a subscription whose request throws fails the flow', async () => {
  const broken: Publisher<number> = {
    subscribe: (subscriber) =>
      subscriber.onSubscribe({
        request: () => {
          throw new Error('no request')
        },
        cancel: () => {},
      }),
  }
  await expect(Flow.from(broken).buffer(2).toArray()).rejects.toThrow('no request')
})
