import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { BufferedProcessor, Flow } from '../../index.ts'
import type { Publisher } from '../../index.ts'
import { catchWarnings, Recorder, settled, source } from '../../testing/subscriber.ts'

// Rules of the specification by their numbers. Those about threads (2.02, 2.07, 2.11, 3.01) hold by the language: a
// call runs to its end before another begins.

let warnings: readonly string[] = []
beforeEach(() => {
  warnings = catchWarnings()
})
afterEach(() => void vi.restoreAllMocks())

interface Kind {
  readonly name: string
  /** A publisher of 0, 1, 2 ...; `failAt`: fails in place of that one. */
  readonly make: (count: number, options?: { failAt?: number; onClose?: () => void }) => Publisher<number>
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

  test('3.04: a request returns at once, however much there is to give', async () => {
    const recorder = new Recorder<number>()
    make(5_000).subscribe(recorder)
    recorder.subscription!.request(Infinity)
    expect(recorder.signals).toEqual(['subscribe'])
    await settled()
    expect(recorder.signals.length).toBeGreaterThan(1)
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

test('3.02: a flow that is cancelled from within onSubscribe is never opened', async () => {
  const open = vi.fn(() => [0][Symbol.iterator]())
  const recorder = new Recorder<number>((subscription) => subscription.cancel())
  Flow.from<number>({ [Symbol.iterator]: open })
    .toPublisher()
    .subscribe(recorder)
  await settled()
  expect([open.mock.calls.length, recorder.signals]).toEqual([0, ['subscribe']])
})

test.each(kinds)('3.13: $name forgets a subscriber that has cancelled', async ({ make }) => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const publisher = make(9)
  const subscribe = async (): Promise<WeakRef<object>> => {
    const recorder = new Recorder<number>((subscription) => subscription.request(2))
    publisher.subscribe(recorder)
    await settled()
    expect(recorder.signals).toEqual(['subscribe', 0, 1])
    const { subscription } = recorder
    recorder.subscription!.cancel()
    kept.push(subscription)
    return new WeakRef(recorder)
  }
  const kept: unknown[] = []
  const reference = await subscribe()
  for (let i = 0; i < 10 && reference.deref() !== undefined; i++) {
    await settled()
    collectGarbage()
  }
  expect(reference.deref()).toBeUndefined()
  expect(kept).toHaveLength(1)
})

test('2.13: an element that a subscriber would have to refuse is an error instead, and closes the source', async () => {
  for (const nothing of [null, undefined]) {
    const onClose = vi.fn()
    const flow = source(3, { onClose }).map((n) => (n === 1 ? nothing : n))
    const recorder = new Recorder<unknown>((subscription) => subscription.request(9))
    flow.toPublisher().subscribe(recorder)
    await settled()
    expect(recorder.signals).toEqual(['subscribe', 0, expect.any(TypeError)])
    expect(onClose).toHaveBeenCalledOnce()
  }
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
