import { expect, test } from 'vitest'
import { BatchPromise } from './batch-promise.ts'
import { PendingRecord } from '../../outgoing/pending-record.ts'

const written = { topic: 'letters', partition: 3, baseOffset: 70, logAppendTimeMs: -1 }
const failure = new Error('shed')

const newRecord = (timestampMs: number) =>
  new PendingRecord(null, Buffer.from('x'), undefined, timestampMs, -1, 'medium')

/** A batch of three, and what became of its promises so far. */
function three() {
  const batch = new BatchPromise()
  const records = [1, 2, 3].map(newRecord)
  const ends: unknown[] = []
  for (const [index, record] of records.entries()) {
    batch.add(record, index).then(
      (delivery) => (ends[index] = delivery.offset),
      (error: unknown) => (ends[index] = error),
    )
  }
  return { batch, records, ends }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('each record has its own offset and timestamp, whether its promise came with it or not', async () => {
  const batch = new BatchPromise()
  const records = [1, 2].map(newRecord)
  const early = records[0]!.ownPromise()
  const promises = [early, batch.add(records[1]!, 1)]
  expect(batch.add(records[0]!, 0)).toBe(early)
  batch.deliver(records, written)
  expect(await Promise.all(promises)).toEqual([
    { topic: 'letters', partition: 3, offset: 70, timestampMs: 1 },
    { topic: 'letters', partition: 3, offset: 71, timestampMs: 2 },
  ])
})

test('all reject when the batch fails', async () => {
  const { batch, records, ends } = three()
  batch.fail(records, failure)
  await turn()
  expect(ends).toEqual([failure, failure, failure])
})

test('of a batch that came apart one is settled without the others, at once, and each by where it went', async () => {
  const { batch, records, ends } = three()
  batch.comeApart(records)
  records[1]!.own!.reject(failure)
  await turn()
  expect(ends).toEqual([undefined, failure])
  const [first, , third] = records
  const next = new BatchPromise()
  for (const [index, record] of [first!, third!].entries()) void next.add(record, index)
  next.deliver([first!, third!], written)
  await turn()
  expect(ends).toEqual([70, failure, 71])
})

test('a batch that came apart still takes records and is settled as a whole', async () => {
  const { batch, records, ends } = three()
  batch.comeApart(records)
  const late = newRecord(4)
  const lateEnd = batch.add(late, 3)
  batch.comeApart(records)
  batch.deliver([...records, late], written)
  expect((await lateEnd).offset).toBe(73)
  await turn()
  expect(ends).toEqual([70, 71, 72])
})
