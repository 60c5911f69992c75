import { expect, test } from 'vitest'
import { Coverage } from './coverage.ts'
import { hostileAnomalies, type HostileReading } from './verdict.ts'

/** One partition of three records, of which each of these offsets was seen. */
function reading(seen: { handled?: number[]; letters?: number[]; unreadable?: number[] }): HostileReading {
  const of = (offsets: readonly number[] = []): Coverage => {
    const coverage = new Coverage()
    for (const offset of offsets) coverage.add('t', 0, offset)
    return coverage
  }
  return {
    way: 'pipe',
    topic: 't',
    ends: [3],
    handled: of(seen.handled),
    letters: of(seen.letters),
    unreadable: of(seen.unreadable),
    mayBeUnreadable: new Map([[0, new Set([2])]]),
    hasGaps: false,
    isExactlyOnce: true,
  }
}

test('every offset that was handled, dead-lettered, or rightly reported is no anomaly', () => {
  expect(hostileAnomalies(reading({ handled: [0], letters: [1], unreadable: [2] }))).toEqual([])
})

test('an offset that no record bears may be missing where that is known, and nowhere else', () => {
  const gap = reading({ handled: [0, 1] })
  expect(hostileAnomalies(gap)).toEqual([expect.stringContaining('offset 2: neither handled')])
  expect(hostileAnomalies({ ...gap, hasGaps: true })).toEqual([])
  const sound = { ...reading({ handled: [0, 2] }), hasGaps: true }
  expect(hostileAnomalies(sound)).toEqual([expect.stringContaining('offset 1: neither handled')])
})

test.each([
  ['that nothing became of', { handled: [0], unreadable: [2] }, 'offset 1: neither handled'],
  ['that is sound and was passed over', { handled: [0], unreadable: [1, 2] }, 'offset 1: sound, but not read'],
  ['with two effects', { handled: [0, 1, 2], letters: [1] }, 'offset 1: 2 effects'],
  ['that was handled twice', { handled: [0, 1, 1, 2] }, 'offset 1: 2 effects'],
])('a record %s is one', (_, seen, anomaly) => {
  expect(hostileAnomalies(reading(seen))).toEqual([expect.stringContaining(anomaly)])
})

test('ranges are the same after they were written down', () => {
  const coverage = new Coverage()
  coverage.addRange('a/b', 1, 3, 6)
  coverage.add('a/b', 1, 9)
  expect(coverage.toJson()).toEqual({
    'a/b/1': [
      [3, 6],
      [9, 10],
    ],
  })
  expect(Coverage.fromJson(coverage.toJson()).toJson()).toEqual(coverage.toJson())
})
