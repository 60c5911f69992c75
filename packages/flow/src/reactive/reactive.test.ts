import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BufferedProcessor, Flow } from '../index.ts'
import type { BufferedProcessorOptions, Publisher, Subscriber, Subscription } from '../index.ts'
import { numRuns } from '../testing/runs.ts'

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Notes every signal; requests when told to. */
class Recorder<T> implements Subscriber<T> {
  readonly signals: unknown[] = []
  subscription: Subscription | undefined
  readonly onSubscribed: (subscription: Subscription) => void
  onValue: (value: T) => void = () => {}

  constructor(onSubscribed: (subscription: Subscription) => void = () => {}) {
    this.onSubscribed = onSubscribed
  }

  onSubscribe(subscription: Subscription): void {
    this.signals.push('subscribe')
    this.subscription = subscription
    this.onSubscribed(subscription)
  }

  onNext(value: T): void {
    this.signals.push(value)
    this.onValue(value)
  }

  onError(error: unknown): void {
    this.signals.push(error)
  }

  onComplete(): void {
    this.signals.push('complete')
  }
}

/** An upstream by hand: notes what is requested of it. */
function upstream() {
  const requests: (number | 'cancel')[] = []
  return { requests, request: (n: number) => void requests.push(n), cancel: () => void requests.push('cancel') }
}

let warnings: string[] = []
beforeEach(() => {
  warnings = []
  vi.spyOn(process, 'emitWarning').mockImplementation((text) => void warnings.push(String(text)))
})
afterEach(() => void vi.restoreAllMocks())

interface Kind {
  readonly name: string
  /** A publisher of 0, 1, 2 ...; `failAt`: fails in place of that one. */
  readonly make: (count: number, options?: { failAt?: number; onClose?: () => void }) => Publisher<number>
}

function source(count: number, { failAt, onClose }: { failAt?: number; onClose?: () => void } = {}): Flow<number> {
  return Flow.from({
    async *[Symbol.asyncIterator]() {
      try {
        for (let n = 0; n < count; n++) {
          if (n === failAt) throw new Error('source')
          yield n
        }
      } finally {
        onClose?.()
      }
    },
  })
}

const kinds: readonly Kind[] = [
  { name: 'a flow', make: (count, options) => source(count, options).toPublisher() },
  {
    name: 'a processor',
    make: (count, options) => {
      const processor = new BufferedProcessor((n: number) => n, {
        bufferSize: 4,
        firstRequest: 2,
        refill: 2,
        refillBelow: 2,
      })
      source(count, options).toPublisher().subscribe(processor)
      return processor
    },
  },
]

describe.each(kinds)('publisher: $name', ({ make }) => {
  test('1.01, 1.02, 3.08: gives no more than was requested, and demand adds up', async () => {
    const recorder = new Recorder<number>()
    make(9).subscribe(recorder)
    await settled()
    expect(recorder.signals).toEqual(['subscribe'])
    recorder.subscription!.request(1)
    recorder.subscription!.request(2)
    await settled()
    expect(recorder.signals).toEqual(['subscribe', 0, 1, 2])
  })

  test('1.03: signals are serial, also when demand comes from within onNext', async () => {
    let depth = 0
    const recorder = new Recorder<number>((subscription) => subscription.request(1))
    recorder.onValue = () => {
      expect(++depth).toBe(1)
      recorder.subscription!.request(1)
      depth--
    }
    make(5).subscribe(recorder)
    await settled()
    expect(recorder.signals).toEqual(['subscribe', 0, 1, 2, 3, 4, 'complete'])
  })

  test('1.04, 1.07: a failure is signalled as onError, and nothing after it', async () => {
    const recorder = new Recorder<number>((subscription) => subscription.request(9))
    make(5, { failAt: 2 }).subscribe(recorder)
    await settled()
    recorder.subscription!.request(9)
    await settled()
    expect(recorder.signals).toEqual(['subscribe', 0, 1, expect.objectContaining({ message: 'source' })])
  })

  test('1.05, 1.06: the end is signalled as onComplete, once', async () => {
    const recorder = new Recorder<number>((subscription) => subscription.request(Infinity))
    make(2).subscribe(recorder)
    await settled()
    recorder.subscription!.request(1)
    recorder.subscription!.cancel()
    await settled()
    expect(recorder.signals).toEqual(['subscribe', 0, 1, 'complete'])
  })

  test('1.08, 3.05, 3.06, 3.07, 3.12: after cancel the signals stop, the source is closed, and calls do nothing', async () => {
    const onClose = vi.fn()
    const recorder = new Recorder<number>((subscription) => subscription.request(2))
    make(9, { onClose }).subscribe(recorder)
    await settled()
    recorder.subscription!.cancel()
    recorder.subscription!.cancel()
    recorder.subscription!.request(5)
    recorder.subscription!.request(-1)
    await settled()
    expect(recorder.signals).toEqual(['subscribe', 0, 1])
    expect(onClose).toHaveBeenCalledOnce()
  })

  test('1.09: onSubscribe comes first, and a subscriber that is not there is refused', () => {
    expect(() => make(1).subscribe(null as never)).toThrow(TypeError)
    expect(() => make(1).subscribe(undefined as never)).toThrow(TypeError)
  })

  test('1.10: the same subscriber is not taken twice', async () => {
    const recorder = new Recorder<number>()
    const publisher = make(1)
    publisher.subscribe(recorder)
    publisher.subscribe(recorder)
    expect(recorder.signals).toEqual(['subscribe', 'subscribe', expect.objectContaining({ code: 'subscribe_refused' })])
    recorder.subscription!.request(1)
    recorder.subscription!.cancel()
    await settled()
    expect(recorder.signals).toHaveLength(3)
  })

  test('2.13: a subscriber that throws is left, and only it hears of nothing more', async () => {
    const onClose = vi.fn()
    const recorder = new Recorder<number>((subscription) => subscription.request(5))
    recorder.onValue = () => {
      throw new Error('broken')
    }
    make(5, { onClose }).subscribe(recorder)
    await settled()
    expect(recorder.signals).toEqual(['subscribe', 0])
    expect(onClose).toHaveBeenCalledOnce()
    expect(warnings[0]).toContain('rule 2.13')
  })

  test('2.13: so is one that throws at once or at the end', async () => {
    const atOnce = new Recorder<number>(() => {
      throw new Error('at once')
    })
    make(5).subscribe(atOnce)
    const atEnd = new Recorder<number>((subscription) => subscription.request(5))
    vi.spyOn(atEnd, 'onComplete').mockImplementation(() => {
      throw new Error('at the end')
    })
    make(1).subscribe(atEnd)
    await settled()
    expect(atOnce.signals).toEqual(['subscribe'])
    expect(warnings.map((text) => text.includes('rule 2.13'))).toEqual([true, true])
  })

  test('3.02: may be requested and cancelled from within onSubscribe', async () => {
    const recorder = new Recorder<number>((subscription) => {
      subscription.request(3)
      subscription.cancel()
    })
    make(5).subscribe(recorder)
    await settled()
    expect(recorder.signals).toEqual(['subscribe'])
  })

  test('3.03: any demand is met without growing the stack', async () => {
    const recorder = new Recorder<number>((subscription) => subscription.request(1))
    recorder.onValue = () => recorder.subscription!.request(1)
    make(20_000).subscribe(recorder)
    for (let i = 0; i < 100 && recorder.signals.at(-1) !== 'complete'; i++) await settled()
    expect(recorder.signals).toHaveLength(20_002)
  })

  test.each([0, -1, Number.NaN])('3.09: a request of %d is an error and ends it', async (count) => {
    const onClose = vi.fn()
    const recorder = new Recorder<number>((subscription) => subscription.request(1))
    make(5, { onClose }).subscribe(recorder)
    await settled()
    recorder.subscription!.request(count)
    recorder.subscription!.request(1)
    await settled()
    expect(recorder.signals).toEqual([
      'subscribe',
      0,
      expect.objectContaining({ code: 'config_invalid', field: 'count' }),
    ])
    expect(onClose).toHaveBeenCalledOnce()
  })

  test('3.09: so is one from within onSubscribe', async () => {
    const recorder = new Recorder<number>((subscription) => subscription.request(0))
    make(5).subscribe(recorder)
    await settled()
    expect(recorder.signals).toEqual(['subscribe', expect.objectContaining({ field: 'count' })])
  })

  test('3.17: so much that it cannot be counted is without bound', async () => {
    const recorder = new Recorder<number>((subscription) => {
      subscription.request(Number.MAX_SAFE_INTEGER)
      subscription.request(Number.MAX_SAFE_INTEGER)
    })
    make(3).subscribe(recorder)
    await settled()
    expect(recorder.signals).toEqual(['subscribe', 0, 1, 2, 'complete'])
  })
})

test('1.11: each subscriber of a flow has a run and a demand of its own', async () => {
  const publisher = Flow.range(0, 3).toPublisher()
  const fast = new Recorder<number>((subscription) => subscription.request(9))
  const slow = new Recorder<number>((subscription) => subscription.request(1))
  publisher.subscribe(fast)
  publisher.subscribe(slow)
  await settled()
  expect([fast.signals, slow.signals]).toEqual([
    ['subscribe', 0, 1, 2, 'complete'],
    ['subscribe', 0],
  ])
})

test('1.04: a flow that cannot be opened signals onSubscribe and then onError', () => {
  const recorder = new Recorder<never>()
  const broken = {
    [Symbol.asyncIterator]: () => {
      throw new Error('closed')
    },
  }
  Flow.from<never>(broken).toPublisher().subscribe(recorder)
  expect(recorder.signals).toEqual(['subscribe', expect.objectContaining({ message: 'closed' })])
})

function makeProcessor(options: BufferedProcessorOptions = {}) {
  const processor = new BufferedProcessor((n: number) => n * 10, options)
  const above = upstream()
  const below = new Recorder<number>()
  return { processor, above, below }
}

describe('subscriber: a processor', () => {
  test('2.01: requests 10 at first, and 10 more whenever less than 50 are held or on their way', () => {
    const { processor, above } = makeProcessor()
    processor.onSubscribe(above)
    expect(above.requests).toEqual([10])
    processor.onNext(0)
    expect(above.requests).toEqual([10, 10, 10, 10, 10])
    for (let n = 1; n < 50; n++) processor.onNext(n)
    expect(above.requests).toHaveLength(5)
    expect(processor.inspect()).toEqual({ buffered: 50, outstanding: 0, demand: 0 })
  })

  test('2.01: what is taken below is requested again above', async () => {
    const { processor, above, below } = makeProcessor()
    processor.onSubscribe(above)
    for (let n = 0; n < 50; n++) processor.onNext(n)
    processor.subscribe(below)
    below.subscription!.request(11)
    await settled()
    expect(below.signals.slice(1)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100])
    expect(processor.inspect()).toEqual({ buffered: 39, outstanding: 20, demand: 0 })
  })

  test('2.05, 2.12: a second subscription is cancelled', () => {
    const { processor, above } = makeProcessor()
    const second = upstream()
    processor.onSubscribe(above)
    processor.onSubscribe(second)
    expect([above.requests, second.requests]).toEqual([[10], ['cancel']])
  })

  test('2.03, 2.04: after the end above nothing is called there, and what is held goes out', async () => {
    const { processor, above, below } = makeProcessor()
    processor.onSubscribe(above)
    processor.onNext(1)
    processor.onNext(2)
    const { length } = above.requests
    processor.onComplete()
    processor.subscribe(below)
    below.subscription!.request(1)
    await settled()
    expect(below.signals).toEqual(['subscribe', 10])
    below.subscription!.request(1)
    await settled()
    expect(below.signals).toEqual(['subscribe', 10, 20, 'complete'])
    expect(above.requests).toHaveLength(length)
  })

  test('2.06: cancelled below, it cancels above, and a subscription that comes later too', async () => {
    const { processor, above, below } = makeProcessor()
    processor.subscribe(below)
    below.subscription!.cancel()
    processor.onSubscribe(above)
    expect(above.requests).toEqual(['cancel'])
  })

  test('2.08: elements that come after cancel or the end are left out', async () => {
    const { processor, above, below } = makeProcessor()
    processor.onSubscribe(above)
    processor.subscribe(below)
    below.subscription!.request(9)
    processor.onComplete()
    processor.onNext(1)
    await settled()
    processor.onNext(2)
    await settled()
    expect(below.signals).toEqual(['subscribe', 'complete'])
  })

  test('2.09, 2.10: the end or a failure may come without any request', async () => {
    for (const end of ['onComplete', 'onError'] as const) {
      const { processor, below } = makeProcessor()
      processor.subscribe(below)
      processor[end](new Error('above'))
      await settled()
      expect(below.signals).toEqual([
        'subscribe',
        end === 'onError' ? expect.objectContaining({ message: 'above' }) : 'complete',
      ])
    }
  })

  test('2.13: what is not there is refused', () => {
    const { processor } = makeProcessor()
    for (const call of ['onSubscribe', 'onNext', 'onError', 'subscribe'] as const) {
      expect(() => processor[call](null as never)).toThrow(TypeError)
      expect(() => processor[call](undefined as never)).toThrow(TypeError)
    }
  })

  test('3.15, 3.16: a subscription that throws does not stop it', async () => {
    const { processor, below } = makeProcessor()
    const broken = () => {
      throw new Error('broken')
    }
    processor.onSubscribe({ request: broken, cancel: broken })
    processor.subscribe(below)
    below.subscription!.cancel()
    expect(warnings.map((text) => /rule (3\.1\d)/.exec(text)?.[1])).toEqual(['3.16', '3.15'])
  })

  test('an upstream that overruns what was requested is cancelled, and that is an error below', async () => {
    const { processor, above, below } = makeProcessor({ bufferSize: 2, firstRequest: 1, refill: 1, refillBelow: 1 })
    processor.onSubscribe(above)
    processor.onNext(1)
    processor.onNext(2)
    expect(above.requests).toEqual([1, 'cancel'])
    processor.subscribe(below)
    below.subscription!.request(9)
    await settled()
    expect(below.signals).toEqual(['subscribe', 10, expect.objectContaining({ code: 'buffer_overflow' })])
  })

  test('4.02: work that throws or rejects cancels above and fails below', async () => {
    for (const work of [
      () => {
        throw new Error('work')
      },
      () => Promise.reject(new Error('work')),
    ]) {
      const processor = new BufferedProcessor<number, number>(work)
      const above = upstream()
      const below = new Recorder<number>((subscription) => subscription.request(9))
      processor.onSubscribe(above)
      processor.subscribe(below)
      processor.onNext(1)
      processor.onNext(2)
      await settled()
      expect(above.requests.at(-1)).toBe('cancel')
      expect(below.signals).toEqual(['subscribe', expect.objectContaining({ message: 'work' })])
      processor.onNext(3)
      const late = upstream()
      processor.onSubscribe(late)
      expect([processor.inspect().buffered, late.requests]).toEqual([0, ['cancel']])
    }
  })

  test('4.01: asynchronous work goes one by one and in order', async () => {
    let running = 0
    const processor = new BufferedProcessor(async (n: number) => {
      expect(++running).toBe(1)
      await settled()
      running--
      return n
    })
    const below = new Recorder<number>((subscription) => subscription.request(9))
    processor.onSubscribe(upstream())
    processor.subscribe(below)
    for (const n of [1, 2, 3]) processor.onNext(n)
    processor.onComplete()
    for (let i = 0; i < 9; i++) await settled()
    expect(below.signals).toEqual(['subscribe', 1, 2, 3, 'complete'])
  })

  test.each([
    [{ bufferSize: 0 }, 'bufferSize'],
    [{ firstRequest: 101 }, 'firstRequest'],
    [{ refill: 0 }, 'refill'],
    [{ refillBelow: 92 }, 'refillBelow'],
    [{ refillBelow: 0 }, 'refillBelow'],
  ])('%o is refused, naming %s', (options, field) => {
    expect(() => makeProcessor(options)).toThrow(expect.objectContaining({ field }))
  })
})

describe('a flow that subscribes to a publisher', () => {
  const byHand = () => {
    let subscriber!: Subscriber<number>
    const publisher: Publisher<number> = { subscribe: (given) => (subscriber = given) }
    const iterator = Flow.from(publisher)[Symbol.asyncIterator]()
    return { iterator, subscribe: () => subscriber }
  }

  test('requests in small portions, as elements are taken', async () => {
    const { iterator, subscribe } = byHand()
    const first = iterator.next()
    const above = upstream()
    subscribe().onSubscribe(above)
    expect(above.requests).toEqual([16])
    for (let n = 0; n < 16; n++) subscribe().onNext(n)
    expect((await first).value).toBe(0)
    for (let n = 1; n < 12; n++) expect((await iterator.next()).value).toBe(n)
    expect(above.requests).toEqual([16, 12])
    await iterator.return!()
    expect(above.requests).toEqual([16, 12, 'cancel'])
    subscribe().onNext(99)
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  test('2.05: cancels a second subscription; 2.06: and one that comes after it was left', async () => {
    const { iterator, subscribe } = byHand()
    void iterator.next()
    const [first, second, third] = [upstream(), upstream(), upstream()]
    subscribe().onSubscribe(first)
    subscribe().onSubscribe(second)
    await iterator.return!()
    subscribe().onSubscribe(third)
    expect([second.requests, third.requests]).toEqual([['cancel'], ['cancel']])
  })

  test('an overrun is an error after what was requested', async () => {
    const { iterator, subscribe } = byHand()
    void iterator.next()
    const above = upstream()
    subscribe().onSubscribe(above)
    for (let n = 0; n <= 16; n++) subscribe().onNext(n)
    for (let n = 1; n < 16; n++) expect((await iterator.next()).value).toBe(n)
    await expect(iterator.next()).rejects.toMatchObject({ code: 'buffer_overflow' })
    expect(above.requests.at(-1)).toBe('cancel')
  })

  test('2.13: refuses what is not there; 3.15: a cancel that throws is a warning', async () => {
    const { iterator, subscribe } = byHand()
    void iterator.next()
    expect(() => subscribe().onSubscribe(null as never)).toThrow(TypeError)
    subscribe().onSubscribe({
      request: () => {},
      cancel: () => {
        throw new Error('broken')
      },
    })
    expect(() => subscribe().onNext(undefined as never)).toThrow(TypeError)
    await iterator.return!()
    expect(warnings[0]).toContain('rule 3.15')
  })

  test('a failure and the end come through', async () => {
    const failing = byHand()
    const failed = failing.iterator.next()
    failing.subscribe().onError(new Error('above'))
    await expect(failed).rejects.toThrow('above')
    const ending = byHand()
    const ended = ending.iterator.next()
    ending.subscribe().onComplete()
    expect((await ended).done).toBe(true)
  })
})

test('any demand and any upstream: in order, never more than requested, never more held than the buffer', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('request' as const), n: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ kind: fc.constant('give' as const), n: fc.integer({ min: 1, max: 5 }) }),
  )
  const sizes = fc.record({ bufferSize: fc.integer({ min: 3, max: 9 }), refill: fc.integer({ min: 1, max: 3 }) })
  await fc.assert(
    fc.asyncProperty(sizes, fc.array(step, { maxLength: 30 }), async ({ bufferSize, refill }, steps) => {
      const processor = new BufferedProcessor((n: number) => n, { bufferSize, refill, firstRequest: refill })
      let requested = 0
      let given = 0
      let demanded = 0
      processor.onSubscribe({ request: (n) => (requested += n), cancel: () => expect.unreachable() })
      const below = new Recorder<number>()
      processor.subscribe(below)
      for (const { kind, n } of steps) {
        if (kind === 'request') {
          demanded += n
          below.subscription!.request(n)
        } else for (let i = 0; i < n && given < requested; i++) processor.onNext(given++)
        await settled()
        const { buffered, outstanding } = processor.inspect()
        const out = below.signals.slice(1)
        expect(out).toEqual(Array.from({ length: Math.min(given, demanded) }, (_, i) => i))
        expect(buffered).toBe(given - out.length)
        expect(outstanding).toBe(requested - given)
        expect(buffered + outstanding).toBeLessThanOrEqual(bufferSize)
      }
      processor.onComplete()
      below.subscription!.request(1_000)
      await settled()
      expect(below.signals.slice(1)).toEqual([...Array.from({ length: given }, (_, i) => i), 'complete'])
    }),
    { numRuns: numRuns(200) },
  )
})
