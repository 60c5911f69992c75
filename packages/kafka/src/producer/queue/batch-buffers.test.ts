import { expect, test } from 'vitest'
import { BatchBuffers } from './batch-buffers.ts'
import type { ProducerOptions } from '../options.ts'
import type { Fate } from '../testing/simulated-cluster.ts'
import { openProducer } from '../testing/open-producer.ts'

/** Sends two batches, one after the other, and says of each request in which buffer it came. */
async function buffersOf(firstFate: Fate, options: ProducerOptions = {}): Promise<ArrayBufferLike[]> {
  const { cluster, send, pass } = await openProducer({ batchBytes: 200, ...options })
  const buffers: ArrayBufferLike[] = []
  cluster.fate = ({ batches }) => {
    buffers.push(batches[0]!.batch.buffer)
    return buffers.length === 1 ? firstFate : 'answered'
  }
  for (const letter of ['a', 'b']) {
    send(letter.repeat(90))
    await pass(1_000)
  }
  return buffers
}

test('the buffer of an acknowledged batch is used again', async () => {
  const [first, second] = await buffersOf('answered')
  expect(second).toBe(first)
})

test('a buffer is not used again while an attempt without an answer may still send it', async () => {
  const [first, retried, second] = await buffersOf('answer_lost')
  expect(retried).toBe(first)
  expect(second).not.toBe(first)
})

test('a buffer is not used again where the broker acknowledges nothing', async () => {
  const [first, second] = await buffersOf('answered', { acks: 0, idempotent: false })
  expect(second).not.toBe(first)
})

test('batches that are far from full, or larger than usual, get a buffer of their size', () => {
  const buffers = new BatchBuffers(100)
  expect([1, 50, 51, 100, 101].map((bytes) => buffers.take(bytes).length)).toEqual([1, 50, 100, 100, 101])
})
