import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { nextTurn, turnBetween } from './time-slices.ts'

test('of those who wait for a turn at the same time, one goes on in each turn of the event loop', async () => {
  const seen: string[] = []
  let turns = 0
  let isOver = false
  const count = (): void => {
    seen.push(`turn ${++turns}`)
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  const step = async (name: string): Promise<void> => {
    await nextTurn()
    seen.push(name)
  }
  await Promise.all([step('a'), step('b'), step('c')])
  isOver = true
  const steps = seen.map((one) => (one.startsWith('turn') ? '|' : one)).join('')
  expect(steps.replaceAll(/\|+/g, '|')).toBe('|a|b|c')
  await sleep(0)
})

test('few partitions need no turn between two steps', async () => {
  let hasTurned = false
  setImmediate(() => (hasTurned = true))
  await turnBetween(12)
  expect(hasTurned).toBe(false)
  await turnBetween(5_000)
  expect(hasTurned).toBe(true)
})
