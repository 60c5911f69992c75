import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeOffsetMap, encodeOffsetMap } from './offset-map.ts'
import type { OffsetRange } from './tracker.ts'

/** Rising, none touching another, beyond the base. */
function rangesFrom(base: number, steps: readonly (readonly [gap: number, run: number])[]): OffsetRange[] {
  let at = base
  return steps.map(([gap, run]) => {
    const start = at + gap
    at = start + run
    return { start, end: at }
  })
}

const steps = (most: number) =>
  fc.array(fc.tuple(fc.integer({ min: 1, max: most }), fc.integer({ min: 1, max: most })), {
    minLength: 1,
    maxLength: 200,
  })
const bases = fc.integer({ min: 0, max: 2 ** 52 })

test.each([3, 5_000, 2 ** 31])('a map says again what it was told, with gaps and runs up to %j', (most) => {
  fc.assert(
    fc.property(bases, fc.string(), fc.integer({ min: -1, max: 2 ** 31 - 1 }), steps(most), (base, id, epoch, list) => {
      const topicId = id.slice(0, 60)
      const ranges = rangesFrom(base, list)
      fc.pre(ranges.at(-1)!.end <= Number.MAX_SAFE_INTEGER)
      const map = { base, topicId: Buffer.from(topicId).toString(), leaderEpoch: epoch, ranges }
      expect(decodeOffsetMap(encodeOffsetMap(map))).toEqual(map)
    }),
  )
})

test('a map may begin with what is finished', () => {
  const map = { base: 7, topicId: 'id', leaderEpoch: 0, ranges: [{ start: 7, end: 9_000 }] }
  expect(decodeOffsetMap(encodeOffsetMap(map))).toEqual(map)
})

test('nothing finished ahead is no metadata at all', () => {
  expect(encodeOffsetMap({ base: 5, topicId: 'id', leaderEpoch: 0, ranges: [] })).toBe('')
})

test('what another tool wrote, and what is damaged, is no map', () => {
  for (const other of [
    '',
    'x',
    'b64:AAAA',
    'sluice1:',
    'sluice1:AAAA',
    'sluice2:AQAAAAAAAAAA/////w1pZC1vZi1sZXR0ZXJzFg==',
  ]) {
    expect(decodeOffsetMap(other)).toBeUndefined()
  }
  const good = encodeOffsetMap({
    base: 7,
    topicId: 'id',
    leaderEpoch: 3,
    ranges: rangesFrom(7, [
      [1, 2],
      [300, 5],
    ]),
  })
  fc.assert(
    fc.property(fc.integer({ min: 0, max: good.length }), (length) => {
      const ranges = decodeOffsetMap(good.slice(0, length))?.ranges ?? []
      for (const { start, end } of ranges) expect(start).toBeLessThan(end)
    }),
  )
})

describe('a map of many offsets is short enough for a commit', () => {
  let state = 1
  const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647

  test.each([
    [22_000, 0.5],
    [120_000, 0.01],
    [1_000_000, 0.001],
  ])('%d offsets, %d of them open', (offsets, open) => {
    const ranges: { start: number; end: number }[] = []
    for (let offset = 1; offset < offsets; offset++) {
      if (random() < open) continue
      const last = ranges.at(-1)
      if (last?.end === offset) last.end++
      else ranges.push({ start: offset, end: offset + 1 })
    }
    const topicId = '0b1c4f2e-8f6e-4b7a-9a53-0f1f6a2b3c4d'
    expect(encodeOffsetMap({ base: 0, topicId, leaderEpoch: 0, ranges }).length).toBeLessThanOrEqual(4_096)
  })
})
