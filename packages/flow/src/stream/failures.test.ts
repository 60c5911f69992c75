// Objects with a `then` are what is tested here.
/* oxlint-disable unicorn/no-thenable */
import { describe, expect, test, vi } from 'vitest'
import { Flow, ManualClock } from '../index.ts'
import type { Publisher } from '../index.ts'
import { Probe } from '../testing/probe.ts'
import { puppet, settled } from '../testing/streams.ts'

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

  test.each(['mapAsync', 'mapAsyncUnordered'] as const)(
    '%s takes one result of each thenable, however often it settles',
    async (name) => {
      const work = (n: number) =>
        ({
          ['then'](resolve: (value: number) => void) {
            resolve(n)
            resolve(n + 100)
            throw new Error('late')
          },
        }) as unknown as Promise<number>
      const out: number[] = []
      const source = Flow.range(0, 4)
      await source[name](2, work).forEach((n) => void out.push(n))
      expect(out).toEqual([0, 1, 2, 3])
    },
  )

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

test('a source that has failed is not asked again', async () => {
  let asked = 0
  const source = {
    [Symbol.asyncIterator]: () => ({
      next: () => (asked++ === 0 ? Promise.reject(new Error('broken')) : Promise.resolve({ done: false, value: 1 })),
    }),
  }
  const iterator = Flow.from<number>(source)[Symbol.asyncIterator]()
  await expect(iterator.next()).rejects.toThrow('broken')
  expect(await iterator.next()).toEqual({ done: true, value: undefined })
  expect(asked).toBe(1)
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
