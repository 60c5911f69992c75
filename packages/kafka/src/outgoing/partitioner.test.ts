import { expect, test } from 'vitest'
import { murmur2, partitionOfKey, stickyPartition } from './partitioner.ts'

// As `org.apache.kafka.common.utils.Utils.murmur2` of Kafka 4.3.1 computes them.
test.each([
  ['', 275_646_681],
  ['a', -1_563_381_124],
  ['ab', 316_155_434],
  ['abc', 479_470_107],
  ['abcd', -1_323_649_548],
  ['abcde', 461_995_741],
  ['order-12345', -1_747_359_319],
  ['사용자-7', 536_655_002],
  ['0123456789abcdef', 1_438_427_052],
])('the hash of %o is the one of Java', (key, hash) => {
  expect(murmur2(Buffer.from(key))).toBe(hash)
})

test('a hash below zero is a partition too', () => {
  expect(partitionOfKey(Buffer.from('a'), 12)).toBe((-1_563_381_124 & 0x7fffffff) % 12)
})

test('the sticky partition has a leader, where any has', () => {
  const load = { isAvailable: (partition: number) => partition === 2, backlog: () => 0 }
  for (let draw = 0; draw < 1; draw += 0.1) expect(stickyPartition(4, load, () => draw)).toBe(2)
  const none = { isAvailable: () => false, backlog: () => 0 }
  expect(stickyPartition(4, none, () => 0.5)).toBe(2)
})

test('of two the less loaded one is taken', () => {
  const draws = [0, 0.9]
  const load = { isAvailable: () => true, backlog: (partition: number) => (partition === 0 ? 3 : 1) }
  expect(stickyPartition(4, load, () => draws.shift()!)).toBe(3)
})
