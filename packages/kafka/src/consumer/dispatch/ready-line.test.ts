import { ManualClock, type Priority } from '@sluice/flow'
import { expect, test } from 'vitest'
import { bytes } from '../../codecs/bytes.ts'
import { topic } from '../../record/topic.ts'
import { AssignedPartition } from '../partition.ts'
import { ReadyLine } from './ready-line.ts'

function open() {
  const clock = new ManualClock()
  const line = new ReadyLine(clock)
  let partitions = 0
  const push = (priority: Priority): AssignedPartition => {
    const partition = new AssignedPartition(topic('t', { value: bytes }), 'id', partitions++, 1)
    partition.priority = priority
    line.push(partition)
    return partition
  }
  const shift = (favoursHigh = false): AssignedPartition | undefined => {
    const partition = line.peek(favoursHigh)
    if (partition) line.shift(partition)
    return partition
  }
  return { clock, line, push, shift }
}

test('high first, low last, among equals who came first', () => {
  const { line, push, shift } = open()
  const pushed = (['low', 'medium', 'high', 'medium', 'high', 'low'] as const).map(push)
  expect(line.length).toBe(6)
  expect(line.high).toBe(2)
  const order = [2, 4, 1, 3, 0, 5].map((index) => pushed[index])
  expect(pushed.map(() => shift())).toEqual(order)
  expect(shift()).toBeUndefined()
})

test('one that has waited for 30 s goes before those that came after it', () => {
  const { clock, push, shift } = open()
  const low = push('low')
  clock.advance(10_000)
  const medium = push('medium')
  const olderHigh = push('high')
  clock.advance(19_999)
  const high = push('high')
  expect(shift()).toBe(olderHigh)
  clock.advance(1)
  expect(shift()).toBe(low)
  expect(shift()).toBe(high)
  expect(shift()).toBe(medium)
})

test('where high ones are to have their share, not even an old one goes before them', () => {
  const { clock, push, shift } = open()
  const low = push('low')
  clock.advance(60_000)
  const high = push('high')
  expect(shift(true)).toBe(high)
  expect(shift(true)).toBe(low)
})
