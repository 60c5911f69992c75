import { expect, test } from 'vitest'
import { rebalance } from '../chaos/rebalance.ts'

test('a group under joins, leaves, freezes and kills skips nothing, keeps the order of keys and does not stand still', async ({
  annotate,
}) => {
  const lines: string[] = []
  const anomalies = await rebalance.run(['--times', '6', '--seed', '3'], (line) => lines.push(line))
  await annotate(lines.join('\n'))
  expect(anomalies).toEqual([])
}, 240_000)
