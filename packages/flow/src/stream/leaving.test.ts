import { PassThrough, Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { MockInstance } from 'vitest'
import { Flow, ManualClock } from '../index.ts'
import type { FlowSource } from '../index.ts'
import { Probe } from '../testing/probe.ts'

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

let warnings: MockInstance<typeof process.emitWarning>
beforeEach(() => {
  warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
})
afterEach(() => warnings.mockRestore())

describe('leaving a stream that has nothing to give just now', () => {
  test('an abort destroys a Node stream at once, without a warning', async () => {
    const stream = new PassThrough({ objectMode: true })
    const controller = new AbortController()
    const running = Flow.from<number>(stream).forEach(() => {}, { signal: controller.signal })
    await settled()
    controller.abort(new Error('no longer'))
    await expect(running).rejects.toThrow('no longer')
    await settled()
    expect(stream.destroyed).toBe(true)
    expect(warnings).not.toHaveBeenCalled()
  })

  test('an abort cancels a web stream at once, with operators between too', async () => {
    const cancelled = vi.fn()
    const stream = new ReadableStream<number>({ cancel: cancelled })
    const controller = new AbortController()
    const running = Flow.from(stream)
      .mapAsync(2, (n) => n)
      .forEach(() => {}, { signal: controller.signal })
    await settled()
    controller.abort(new Error('no longer'))
    await expect(running).rejects.toThrow('no longer')
    await settled()
    expect(cancelled).toHaveBeenCalledOnce()
    expect(warnings).not.toHaveBeenCalled()
  })

  test.each(['destroy', 'pipe'])(
    'a source that merely has a method %s is not taken for a Node stream',
    async (method) => {
      const called = vi.fn()
      const next = (): Promise<never> => new Promise(() => {})
      const source = { [Symbol.asyncIterator]: () => ({ next }), [method]: called }
      const controller = new AbortController()
      const running = Flow.from<number>(source).forEach(() => {}, { signal: controller.signal })
      await settled()
      controller.abort(new Error('no longer'))
      await expect(running).rejects.toThrow('no longer')
      expect(called).not.toHaveBeenCalled()
    },
  )

  test('a stream that was read to its end, or in part, is left as its own iterator leaves it', async () => {
    const node = Readable.from([1, 2, 3])
    expect(await Flow.from<number>(node).take(2).toArray()).toEqual([1, 2])
    expect(node.destroyed).toBe(true)
    const web = ReadableStream.from([1, 2, 3])
    expect(await Flow.from(web).toArray()).toEqual([1, 2, 3])
    expect(web.locked).toBe(false)
    const failing = new ReadableStream<number>({ pull: () => Promise.reject(new Error('broken')) })
    await expect(Flow.from(failing).toArray()).rejects.toThrow('broken')
    expect(failing.locked).toBe(false)
  })

  test('a stream that breaks when it is left is told as a warning', async () => {
    const web = new ReadableStream<number>({ cancel: () => Promise.reject(new Error('cannot')) })
    const iterator = Flow.from(web)[Symbol.asyncIterator]()
    void iterator.next()
    await iterator.return!()
    await settled()
    expect(warnings).toHaveBeenCalledOnce()
  })
})

const shapes: [string, (flow: Flow<number>) => Flow<number>][] = [
  ['no operator', (flow) => flow],
  ['filter', (flow) => flow.filter((n) => n % 2 === 0)],
  ['take', (flow) => flow.take(2)],
  ['filter and take', (flow) => flow.filter((n) => n !== 1).take(2)],
  ['throttle', (flow) => flow.throttle({ elements: 1, perMs: 5 })],
  ['retry', (flow) => flow.retry()],
]

const makeSources: [string, (clock: ManualClock) => FlowSource<number>][] = [
  ['an iterable', () => [0, 1, 2, 3]],
  ['a slow async iterable', (clock) => new Probe({ clock, count: 4, delaysMs: [3, 0, 1] })],
  ['a Node stream', () => Readable.from([0, 1, 2, 3])],
  ['a web stream', () => ReadableStream.from([0, 1, 2, 3])],
]

describe.each(makeSources)('from %s', (_, makeSource) => {
  test.each(shapes)('with %s, who asks several times at once gets what who asks one by one gets', async (_, apply) => {
    const clock = new ManualClock()
    const open = () => apply(Flow.from(makeSource(clock), { clock }))
    const wanted: number[] = []
    const reading = open().forEach((n) => wanted.push(n))
    for (let i = 0; i < 10; i++) await clock.advanceAsync(5)
    await reading
    const iterator = open()[Symbol.asyncIterator]()
    const asked = Promise.all(Array.from({ length: 6 }, () => iterator.next()))
    for (let i = 0; i < 10; i++) await clock.advanceAsync(5)
    const given = (await asked).filter(({ done }) => !done).map(({ value }) => value)
    expect(given).toEqual(wanted)
    expect(given.length).toBeGreaterThan(1)
    expect(clock.pending).toBe(0)
  })
})

test('who asks several times and leaves is told the end each time', async () => {
  const clock = new ManualClock()
  for (const [, apply] of shapes) {
    const iterator = apply(Flow.from(new Probe({ clock, count: 9, delaysMs: [5] }), { clock }))[Symbol.asyncIterator]()
    const asked = Promise.all([iterator.next(), iterator.next(), iterator.next()])
    await iterator.return!()
    expect((await asked).map(({ done }) => done)).toEqual([true, true, true])
    await clock.advanceAsync(5)
    expect(clock.pending).toBe(0)
  }
})

const waitsOfTheirOwn: [string, (flow: Flow<number>) => Flow<unknown>][] = [
  ['throttle', (flow) => flow.throttle({ elements: 1, perMs: 1_000 })],
  ['delayElements', (flow) => flow.delayElements(1_000)],
  ['groupedWithin', (flow) => flow.groupedWithin(9, 1_000)],
  ['retry', (flow) => flow.map(() => expect.unreachable()).retry({ delayMs: 1_000 })],
]

test.each(waitsOfTheirOwn)('%s leaves no timer when it is left while it waits', async (_, apply) => {
  const clock = new ManualClock()
  async function* two() {
    yield 0
    yield 1
    await new Promise(() => {})
  }
  const iterator = apply(Flow.from(two(), { clock }))[Symbol.asyncIterator]()
  void iterator.next()
  void iterator.next()
  await settled()
  expect(clock.pending).toBe(1)
  await iterator.return!()
  expect(clock.pending).toBe(0)
})
