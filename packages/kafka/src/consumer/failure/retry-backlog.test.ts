import { expect, test } from 'vitest'
import { bytes } from '../../codecs/bytes.ts'
import { AssignedPartition } from '../partition.ts'
import { topic } from '../../record/topic.ts'
import { RetryBacklog } from './retry-backlog.ts'

const backlog = (): RetryBacklog =>
  new RetryBacklog(new AssignedPartition(topic('t.g.retry', { value: bytes }), 'id', 0, 1))

test('a key waits until as many are finished as were added', () => {
  const waiting = backlog()
  const [a, sameAsA, b] = [Buffer.from([0, 255]), Buffer.from([0, 255]), Buffer.from([0, 254])]
  waiting.add(a)
  waiting.add(sameAsA)
  expect([waiting.has(a), waiting.has(b), waiting.has(null)]).toEqual([true, false, false])
  waiting.remove(a)
  expect(waiting.has(sameAsA)).toBe(true)
  waiting.remove(sameAsA)
  waiting.remove(sameAsA)
  expect(waiting.has(a)).toBe(false)
  waiting.add(a)
  expect(waiting.has(a)).toBe(true)
})

test('records without a key hold nobody up', () => {
  const waiting = backlog()
  waiting.add(null)
  expect([waiting.keys, waiting.has(null)]).toEqual([0, false])
  waiting.add(Buffer.alloc(0))
  waiting.remove(null)
  expect(waiting.has(Buffer.alloc(0))).toBe(true)
})

test('keys of half a megabyte are told apart', () => {
  const waiting = backlog()
  const key = (n: number): Buffer => Buffer.from(`${'k'.repeat(500_000)}${n}`)
  for (let n = 0; n < 100; n++) waiting.add(key(n))
  expect([waiting.keys, waiting.has(key(99)), waiting.has(key(100))]).toEqual([100, true, false])
  for (let n = 0; n < 100; n++) waiting.remove(key(n))
  expect(waiting.keys).toBe(0)
})

test('10,000 keys are as many as may wait', () => {
  const waiting = backlog()
  for (let n = 0; n < 10_000; n++) {
    expect(waiting.isFull).toBe(false)
    waiting.add(Buffer.from(`k${n}`))
    waiting.add(Buffer.from('k0'))
  }
  expect(waiting.isFull).toBe(true)
  waiting.remove(Buffer.from('k1'))
  expect(waiting.isFull).toBe(false)
})

test('what was found there is taken out of its partition once', () => {
  const waiting = backlog()
  waiting.keep(7)
  expect([waiting.takes(6), waiting.takes(7), waiting.takes(7)]).toEqual([false, true, false])
  waiting.keep(8)
  waiting.add(Buffer.from('k'))
  waiting.clear()
  expect([waiting.takes(8), waiting.keys]).toEqual([false, 0])
})

test('what somebody else writes there is counted when it comes, but not twice where it was looked through', () => {
  const waiting = backlog()
  const key = Buffer.from('k')
  waiting.takenOf(key, 5)
  expect(waiting.has(key)).toBe(false)
  waiting.add(key)
  waiting.scanned(6)
  waiting.takenOf(key, 5)
  waiting.remove(key)
  expect(waiting.has(key)).toBe(false)
  waiting.takenOf(key, 6)
  expect(waiting.has(key)).toBe(true)
})
