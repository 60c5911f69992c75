import { expect, test } from 'vitest'
import { maxEpoch, PartitionSequence, sequenceAfter } from './sequence.ts'

const identity = { producerId: 5n, epoch: 0 }

test('sequence numbers begin again after the last one', () => {
  expect(sequenceAfter(2_147_483_646, 1)).toBe(2_147_483_647)
  expect(sequenceAfter(2_147_483_647, 1)).toBe(0)
  expect(sequenceAfter(2_147_483_640, 100)).toBe(92)
})

test('each batch begins where the one before it ended', () => {
  const sequence = new PartitionSequence(identity)
  expect(sequence.take(3)).toEqual({ ...identity, baseSequence: 0, transactional: false })
  expect(sequence.take(2).baseSequence).toBe(3)
  expect(sequence.take(1).baseSequence).toBe(5)
})

test('a batch that was certainly refused gives its numbers back', () => {
  const sequence = new PartitionSequence(identity)
  sequence.take(3)
  sequence.giveBack(sequence.take(2))
  expect(sequence.take(7).baseSequence).toBe(3)
})

test('the next epoch begins with sequence 0 under the same id, until the epochs are used up', () => {
  const sequence = new PartitionSequence({ producerId: 5n, epoch: maxEpoch - 1 })
  sequence.take(3)
  sequence.bumpEpoch()
  expect(sequence.take(1)).toMatchObject({ producerId: 5n, epoch: maxEpoch, baseSequence: 0 })
  expect(sequence.isUsedUp).toBe(false)
  sequence.bumpEpoch()
  expect(sequence.isUsedUp).toBe(true)
  sequence.renew({ producerId: 6n, epoch: 0 })
  expect([sequence.isUsedUp, sequence.take(1)]).toMatchObject([false, { producerId: 6n, epoch: 0, baseSequence: 0 }])
})
