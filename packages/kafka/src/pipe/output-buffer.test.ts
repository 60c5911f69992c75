import { ManualClock } from '@sluice/flow'
import { describe, expect, test } from 'vitest'
import { text } from '../codecs/text.ts'
import { Intake } from '../consumer/intake/intake.ts'
import { AssignedPartition } from '../consumer/partition.ts'
import { RetryBacklog } from '../consumer/failure/retry-backlog.ts'
import { PendingRecord } from '../outgoing/pending-record.ts'
import { topic } from '../record/topic.ts'
import { OutputBuffer } from './output-buffer.ts'

const clock = new ManualClock()
const letters = topic('letters', { value: text })

function setUp() {
  const intake = new Intake({
    maxRecords: 100,
    maxBytes: 1_000_000,
    busyPartitions: 1,
    partitionMaxBytes: 1_000,
    fetchMaxBytes: 1_000,
    onRoom: () => {},
  })
  const [a, b] = [0, 1].map((number) => new AssignedPartition(letters, 'id', number, number + 1)) as [
    AssignedPartition,
    AssignedPartition,
  ]
  intake.add(a)
  intake.add(b)
  const buffer = new OutputBuffer(intake)
  return { intake, a, b, buffer }
}

const output = (name: string) => ({
  topic: 'out',
  record: new PendingRecord(null, Buffer.from(name), undefined, clock.now(), -1, 'medium'),
})
const namesOf = (taken: ReturnType<OutputBuffer['take']>): string[] =>
  taken.flatMap(({ outputs }) => outputs.map(({ record }) => record.value!.toString()))

describe('what came of finished records', () => {
  test('is taken in the order in which they were finished, whatever their partitions', () => {
    const { buffer, a, b } = setUp()
    buffer.add(b, 7, [output('first'), output('second')])
    buffer.add(a, 3, [output('third')])
    buffer.add(b, 8, [output('fourth')])
    expect(namesOf(buffer.take([a, b]))).toEqual(['first', 'second', 'third', 'fourth'])
  })

  test('counts in the budget until it is committed', () => {
    const { buffer, intake, a } = setUp()
    buffer.add(a, 3, [output('one'), output('two')])
    expect(intake.inspect()).toMatchObject({ records: 2 })
    const taken = buffer.take([a])
    expect(intake.inspect()).toMatchObject({ records: 2 })
    buffer.settle(taken)
    expect(intake.inspect()).toMatchObject({ records: 0, bytes: 0 })
  })

  test('goes before what came since, when its transaction was aborted', () => {
    const { buffer, a } = setUp()
    buffer.add(a, 3, [output('early')])
    const taken = buffer.take([a])
    buffer.add(a, 4, [output('late')])
    buffer.putBack(taken)
    expect(buffer.records).toBe(2)
    expect(namesOf(buffer.take([a]))).toEqual(['early', 'late'])
  })

  test('is taken of the named partitions alone', () => {
    const { buffer, a, b } = setUp()
    buffer.add(a, 3, [output('a')])
    buffer.add(b, 3, [output('b')])
    expect(namesOf(buffer.take([b]))).toEqual(['b'])
    expect(buffer.records).toBe(1)
  })

  test('is void from where the partition is rewound to, also while it is on its way', () => {
    const { buffer, intake, a } = setUp()
    buffer.add(a, 3, [output('kept')])
    buffer.add(a, 9, [output('void')])
    const taken = buffer.take([a])
    buffer.add(a, 10, [output('void too')])
    intake.releaseAll(a)
    buffer.rewind(a, 5)
    expect(intake.inspect()).toMatchObject({ records: 1 })
    buffer.putBack(taken)
    const again = buffer.take([a])
    expect(namesOf(again)).toEqual(['kept'])
    buffer.settle(again)
    expect(intake.inspect()).toMatchObject({ records: 0, bytes: 0 })
  })

  test('goes with its partition', () => {
    const { buffer, intake, a } = setUp()
    buffer.add(a, 3, [output('taken')])
    const taken = buffer.take([a])
    buffer.add(a, 4, [output('waiting')])
    intake.remove(a)
    buffer.drop(a)
    buffer.putBack(taken)
    expect(buffer.records).toBe(0)
    expect(namesOf(buffer.take([a]))).toEqual([])
    expect(intake.inspect()).toMatchObject({ records: 0, bytes: 0 })
  })

  describe('a record for the retry topic that is void marks its key no longer', () => {
    const key = Buffer.from('k')

    /** One is written to the retry topic at offset 3, and marks its key there. */
    function setUpRetry() {
      const { buffer, a } = setUp()
      const retries = new AssignedPartition(topic('letters.g.retry', { value: text }), 'retry-id', 0, 3)
      const backlog = (a.retries = new RetryBacklog(retries))
      backlog.add(key)
      const record = new PendingRecord(key, null, undefined, clock.now(), 0, 'medium')
      buffer.add(a, 3, [{ topic: 'letters.g.retry', record }])
      return { buffer, a, backlog }
    }

    test('where it waited', () => {
      const { buffer, a, backlog } = setUpRetry()
      buffer.rewind(a, 4)
      expect(backlog.has(key)).toBe(true)
      buffer.rewind(a, 3)
      expect(backlog.has(key)).toBe(false)
    })

    test('where its transaction was under way, and is aborted', () => {
      const { buffer, a, backlog } = setUpRetry()
      const taken = buffer.take([a])
      buffer.rewind(a, 3)
      expect(backlog.has(key)).toBe(true)
      buffer.putBack(taken)
      expect(backlog.has(key)).toBe(false)
    })

    test('but where its transaction is committed, it does', () => {
      const { buffer, a, backlog } = setUpRetry()
      const taken = buffer.take([a])
      buffer.rewind(a, 3)
      buffer.settle(taken)
      expect(backlog.has(key)).toBe(true)
    })
  })
})
