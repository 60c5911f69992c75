import { priorities } from '@sluice/flow/internal'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Producer } from './producer.ts'
import { letters, openProducer, outcomeOf } from './testing/open-producer.ts'
import type { Fated } from './testing/open-producer.ts'
import { requestTimeoutMs } from './testing/simulated-cluster.ts'
import type { Fate } from './testing/simulated-cluster.ts'

const deliveryTimeoutMs = 2_000
const partitions = 2

const fate: fc.Arbitrary<Fate> = fc.oneof(
  fc.constantFrom<Fate>('unreachable', 'request_lost', 'answer_lost', 'frozen', 'frozen'),
  fc
    .constantFrom('NOT_LEADER_OR_FOLLOWER', 'NOT_ENOUGH_REPLICAS', 'INVALID_RECORD')
    .map((refusedWith) => ({ refusedWith })),
  fc
    .constantFrom('REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND')
    .map((refusedWith) => ({ refusedWith, afterAppend: true })),
)

const send = fc.record({
  kind: fc.constant('send' as const),
  records: fc.integer({ min: 1, max: 30 }),
  partition: fc.nat(1),
  priority: fc.constantFrom(...priorities),
})

const step = fc.oneof(
  { weight: 3, arbitrary: send },
  fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 5, 20, 310, 700) }),
  fc.record({ kind: fc.constant('fates' as const), fates: fc.array(fate, { minLength: 1, maxLength: 8 }) }),
  fc.record({ kind: fc.constant('thaw' as const) }),
  fc.record({ kind: fc.constant('move' as const), partition: fc.nat(1), broker: fc.constantFrom(1, 2, -1) }),
  fc.record({ kind: fc.constant('limit' as const), partition: fc.nat(1), bytes: fc.constantFrom(100, 250, Infinity) }),
)

test('whatever brokers do: in the log once and in order where acknowledged, never where refused, and every promise settles', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40, size: 'max' }),
      fc.constantFrom(25, 5_000),
      async (steps, maxRecords) => {
        const options = { deliveryTimeoutMs, lingerMs: 5, batchBytes: 300, queue: { maxRecords } }
        const { clock, cluster, logs, producer, send, pass } = await openProducer(options, { partitions })
        const fates: Fate[] = []
        cluster.fate = () => fates.shift() ?? 'answered'
        const sent: Fated[][] = Array.from({ length: partitions }, () => [])
        let id = 0
        for (const next of steps) {
          if (next.kind === 'send') {
            for (let i = 0; i < next.records; i++)
              sent[next.partition]!.push(send(String(id++), next.partition, next.priority))
          } else if (next.kind === 'advance') await pass(next.ms)
          else if (next.kind === 'fates') fates.push(...next.fates)
          else if (next.kind === 'thaw') cluster.thaw()
          else if (next.kind === 'move') cluster.lead(letters.name, next.partition, next.broker)
          else logs[next.partition]!.maxBatchBytes = next.bytes
        }
        // One may wait for room as long as a delivery may take, and then be under way as long.
        await pass(2 * deliveryTimeoutMs + 10)
        await pass(0)
        expect(sent.flat().map(outcomeOf)).not.toContain('pending')
        cluster.thaw()

        sent.forEach((records, partition) => checkLog(logs[partition]!.log, records))
        expect(cluster.sentTwiceAtOnce).toBe(0)
        checkAccount(producer, sent.flat())
        await producer.close()
        // Requests of the cluster that nobody waits for any more.
        await pass(requestTimeoutMs)
        expect(clock.pending, 'timers left').toBe(0)
      },
    ),
    { numRuns: Number(process.env['SLUICE_LONG_RUNS'] ?? 200) },
  )
}, 900_000)

/** The queue did not take these at all. */
const notAccepted = new Set(['timeout_drop', 'low_priority_drop', 'waiting_full'])
const notInLog = new Set([...notAccepted, 'refused', 'old_message_dropped'])

function checkLog(log: readonly string[], records: readonly Fated[]): void {
  for (const record of records) {
    const times = log.filter((value) => value === record.value).length
    const outcome = outcomeOf(record)
    if (outcome === 'delivered') {
      expect(times, 'a delivered record').toBe(1)
      expect(log[record.delivery!.offset]).toBe(record.value)
    } else if (notInLog.has(outcome)) expect(times, `a record that was shed or refused: ${outcome}`).toBe(0)
    else expect([outcome, times], 'an unknown record').toEqual(['unknown', Math.min(times, 1)])
    if (outcome === 'old_message_dropped') expect(record.priority, 'evicted').not.toBe('high')
    if (outcome === 'low_priority_drop') expect(record.priority).toBe('low')
  }
  for (const priority of priorities) {
    const ofClass = new Set(records.filter((record) => record.priority === priority).map(({ value }) => value))
    const inLog = log.filter((value) => ofClass.has(value)).map(Number)
    expect(inLog, 'the order of the log').toEqual(inLog.toSorted((a, b) => a - b))
  }
}

function checkAccount(producer: Producer, records: readonly Fated[]): void {
  const outcomes = records.map(outcomeOf)
  const count = (outcome: string): number => outcomes.filter((other) => other === outcome).length
  const { queue, records: account, shed } = producer.inspect()
  expect(account).toEqual({
    accepted: outcomes.filter((outcome) => !notAccepted.has(outcome)).length,
    delivered: count('delivered'),
    refused: count('refused') + count('old_message_dropped'),
    unknown: count('unknown'),
    pending: 0,
  })
  for (const [reason, shedCount] of Object.entries(shed)) expect(shedCount, reason).toBe(count(reason))
  expect([queue.records, queue.bytes, queue.waiting]).toEqual([0, 0, 0])
}
