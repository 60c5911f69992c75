import { expect, test } from 'vitest'
import { ReadBudget } from './read-budget.ts'
import type { ReadPartition } from './read-partition.ts'

const partition = { fetchBytes: 1_000, wantsFetch: true } as ReadPartition

test('who found no room is told when there is some, also where the fetch that had it brought nothing', () => {
  let told = 0
  const budget = new ReadBudget(65_536, () => told++)
  const { asks } = budget.plan([partition, partition])
  expect(asks).toHaveLength(2)
  expect(budget.plan([partition])).toEqual({ asks: [], waiting: true })
  budget.settle(asks[0]!, 0)
  expect([told, budget.usedBytes]).toEqual([0, 65_536])
  budget.settle(asks[1]!, 500)
  expect([told, budget.usedBytes]).toEqual([1, 500])
  budget.release(500)
  expect([told, budget.usedBytes]).toEqual([2, 0])
})
