import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BufferedProcessor } from '../../index.ts'
import type { BufferedProcessorOptions } from '../../index.ts'
import { numRuns } from '../../testing/runs.ts'
import { catchWarnings, Recorder, settled, upstream } from '../../testing/subscriber.ts'

let warnings: readonly string[] = []
beforeEach(() => {
  warnings = catchWarnings()
})
afterEach(() => void vi.restoreAllMocks())

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

  test('4.02: so does work that gives nothing, which could not be passed on', async () => {
    const above = upstream()
    const below = new Recorder<unknown>((subscription) => subscription.request(9))
    const processor = new BufferedProcessor((n: number) => (n === 1 ? undefined : n))
    processor.onSubscribe(above)
    processor.subscribe(below)
    for (const n of [0, 1, 2]) processor.onNext(n)
    await settled()
    expect(below.signals).toEqual(['subscribe', 0, expect.any(TypeError)])
    expect(above.requests.at(-1)).toBe('cancel')
  })

  test('3.10, 3.11: an upstream may give, and end, from within the request', async () => {
    const processor = new BufferedProcessor((n: number) => n, { bufferSize: 20 })
    const below = new Recorder<number>((subscription) => subscription.request(100))
    processor.subscribe(below)
    let n = 0
    processor.onSubscribe({
      request: (count) => {
        for (let i = 0; i < count && n < 35; i++) processor.onNext(n++)
        if (n === 35) processor.onComplete()
      },
      cancel: () => expect.unreachable(),
    })
    for (let i = 0; i < 50 && below.signals.at(-1) !== 'complete'; i++) await settled()
    expect(below.signals).toEqual(['subscribe', ...Array.from({ length: 35 }, (_, i) => i), 'complete'])
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
