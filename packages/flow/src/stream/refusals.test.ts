import { expect, test } from 'vitest'
import { Flow } from '../index.ts'
import type { Overflow } from '../index.ts'

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
