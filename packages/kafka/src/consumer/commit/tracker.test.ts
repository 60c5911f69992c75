import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Tracker } from './tracker.ts'

test('the position never passes an offset that is not finished, whatever the order of finishing', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 1_000_000 }),
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 40 }),
      fc.infiniteStream(fc.nat()),
      (first, lengths, picks) => {
        const tracker = new Tracker(first)
        const open: { start: number; end: number }[] = []
        for (const length of lengths) {
          const end = tracker.taken + length
          open.push({ start: tracker.take(end), end })
        }
        while (open.length > 0) {
          const [range] = open.splice(picks.next().value! % open.length, 1)
          tracker.finish(range!.start, range!.end)
          const lowestOpen = Math.min(tracker.taken, ...open.map(({ start }) => start))
          expect(tracker.position).toBe(lowestOpen)
        }
        expect(tracker.idle).toBe(true)
        expect(tracker.finishedAhead).toBe(0)
      },
    ),
  )
})

test('a gap in front of a record is finished with it', () => {
  const tracker = new Tracker(10)
  const start = tracker.take(18)
  expect(start).toBe(10)
  expect(tracker.position).toBe(10)
  tracker.finish(start, 18)
  expect(tracker.position).toBe(18)
})

test('several ranges in a row can be finished at once', () => {
  const tracker = new Tracker(0)
  for (let end = 1; end <= 4; end++) tracker.take(end)
  tracker.finish(2, 4)
  expect(tracker.position).toBe(0)
  tracker.finish(0, 2)
  expect(tracker.position).toBe(4)
})

test('what was not handed out or is finished already cannot be finished', () => {
  const tracker = new Tracker(0)
  tracker.take(5)
  expect(() => tracker.finish(2, 6)).toThrow('not in flight')
  tracker.finish(0, 5)
  expect(() => tracker.finish(0, 5)).toThrow('not in flight')
  expect(() => tracker.take(5)).toThrow('rising order')
})
