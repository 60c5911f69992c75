import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Ring } from './internal.ts'
import { numRuns } from './testing/runs.ts'

test('behaves like an array under any sequence of operations', () => {
  const operation = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('push' as const), count: fc.integer({ min: 1, max: 60 }) }) },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('shift' as const), count: fc.integer({ min: 1, max: 60 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const), count: fc.constant(1) }) },
  )
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
      const ring = new Ring<number>()
      const model: number[] = []
      let next = 0
      for (const { kind, count } of operations) {
        const shifted: unknown[] = []
        for (let i = 0; i < count; i++) {
          if (kind === 'push') {
            ring.push(next)
            model.push(next++)
          } else if (kind === 'shift') shifted.push(ring.shift())
          else {
            ring.clear()
            model.length = 0
          }
        }
        const expected = kind === 'shift' ? Array.from({ length: count }, () => model.shift()) : []
        expect(shifted).toEqual(expected)
        expect([ring.length, ring.peek()]).toEqual([model.length, model[0]])
        expect([...ring]).toEqual(model)
        for (const index of [0, 1, model.length - 1, model.length]) expect(ring.at(index)).toBe(model[index])
        expect(ring.at(-1)).toBeUndefined()
      }
    }),
    { numRuns: numRuns(60) },
  )
})

test('an emptied ring that was large keeps no item and works on', () => {
  const ring = new Ring<object>()
  for (let i = 0; i < 5_000; i++) ring.push({})
  let taken = 0
  while (ring.shift()) taken++
  expect([taken, ring.length]).toEqual([5_000, 0])
  const item = {}
  ring.push(item)
  expect(ring.peek()).toBe(item)
})
