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

const step = fc.oneof(
  fc.record({ kind: fc.constant('send' as const), records: fc.integer({ min: 1, max: 30 }), partition: fc.nat(1) }),
  fc.record({ kind: fc.constant('send' as const), records: fc.integer({ min: 1, max: 30 }), partition: fc.nat(1) }),
  fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 5, 20, 310, 700) }),
  fc.record({ kind: fc.constant('fates' as const), fates: fc.array(fate, { minLength: 1, maxLength: 8 }) }),
  fc.record({ kind: fc.constant('thaw' as const) }),
  fc.record({ kind: fc.constant('move' as const), partition: fc.nat(1), broker: fc.constantFrom(1, 2, -1) }),
  fc.record({ kind: fc.constant('limit' as const), partition: fc.nat(1), bytes: fc.constantFrom(100, 250, Infinity) }),
)

test('whatever brokers do: in the log once and in order where acknowledged, never where refused, and every promise settles', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const options = { deliveryTimeoutMs, lingerMs: 5, batchBytes: 300, queue: { maxRecords: 5_000 } }
      const { clock, cluster, logs, producer, send, pass } = await openProducer(options, { partitions })
      const fates: Fate[] = []
      cluster.fate = () => fates.shift() ?? 'answered'
      const sent: Fated[][] = Array.from({ length: partitions }, () => [])
      let id = 0
      for (const next of steps) {
        if (next.kind === 'send') {
          for (let i = 0; i < next.records; i++) sent[next.partition]!.push(send(String(id++), next.partition))
        } else if (next.kind === 'advance') await pass(next.ms)
        else if (next.kind === 'fates') fates.push(...next.fates)
        else if (next.kind === 'thaw') cluster.thaw()
        else if (next.kind === 'move') cluster.lead(letters.name, next.partition, next.broker)
        else logs[next.partition]!.maxBatchBytes = next.bytes
      }
      await pass(deliveryTimeoutMs + 10)
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
    }),
    { numRuns: Number(process.env['SLUICE_LONG_RUNS'] ?? 200) },
  )
}, 900_000)

function checkLog(log: readonly string[], records: readonly Fated[]): void {
  for (const record of records) {
    const times = log.filter((value) => value === record.value).length
    const outcome = outcomeOf(record)
    if (outcome === 'delivered') {
      expect(times, 'a delivered record').toBe(1)
      expect(log[record.delivery!.offset]).toBe(record.value)
    } else if (outcome === 'refused') expect(times, 'a refused record').toBe(0)
    else expect(times, 'an unknown record').toBeLessThanOrEqual(1)
  }
  expect(log.map(Number), 'the order of the log').toEqual(log.map(Number).toSorted((a, b) => a - b))
}

function checkAccount(producer: Producer, records: readonly Fated[]): void {
  const count = (outcome: string): number => records.filter((record) => outcomeOf(record) === outcome).length
  const { queue, records: account } = producer.inspect()
  expect(account).toEqual({
    accepted: records.length,
    delivered: count('delivered'),
    refused: count('refused'),
    unknown: count('unknown'),
    pending: 0,
  })
  expect([queue.records, queue.bytes]).toEqual([0, 0])
}
