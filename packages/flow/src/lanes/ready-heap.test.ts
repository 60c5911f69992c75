import fc from 'fast-check'
import { expect, test } from 'vitest'
import { numRuns } from '../testing/runs.ts'
import { ReadyHeap } from './ready-heap.ts'
import type { HeapItem } from './ready-heap.ts'

test('gives the smallest first whatever came and left in between, and each item knows its place', () => {
  const operation = fc.oneof(
    fc.record({ kind: fc.constant('push' as const), order: fc.nat(1_000) }),
    fc.record({ kind: fc.constantFrom('pop' as const, 'remove' as const), order: fc.nat(1_000) }),
  )
  fc.assert(
    fc.property(fc.array(operation, { minLength: 20, maxLength: 120 }), (operations) => {
      const heap = new ReadyHeap<HeapItem>()
      let model: HeapItem[] = []
      for (const { kind, order } of operations) {
        if (kind === 'push') {
          const item = { order, heapIndex: -1 }
          model.push(item)
          heap.push(item)
        } else {
          const smallest = Math.min(...model.map((item) => item.order))
          const item = kind === 'pop' ? heap.peek() : model[order % Math.max(1, model.length)]
          if (kind === 'pop') expect(item?.order ?? Infinity).toBe(smallest)
          if (item) heap.remove(item)
          if (item) expect(item.heapIndex).toBe(-1)
          model = model.filter((other) => other !== item)
        }
        expect(heap.length).toBe(model.length)
        expect(model.every((item) => item.heapIndex >= 0)).toBe(true)
      }
      const rest = model.map((item) => item.order).toSorted((a, b) => a - b)
      for (const order of rest) {
        const item = heap.peek()!
        expect(item.order).toBe(order)
        heap.remove(item)
      }
      expect(heap.peek()).toBeUndefined()
    }),
    { numRuns: numRuns(60) },
  )
})
