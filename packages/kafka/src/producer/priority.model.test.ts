import { priorities } from '@sluice/flow/internal'
import type { Priority } from '@sluice/flow'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { recordSizeUpperBound } from '../batch/encode.ts'
import { letters, openProducer, outcomeOf } from './testing/open-producer.ts'
import type { Fated } from './testing/open-producer.ts'

const partitions = 2
const maxRecords = 6
const maxBytes = 700
const maxWaiting = 3
const waitMs = { high: 100_000, medium: 1_000, low: 0 }

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      priority: fc.constantFrom(...priorities),
      partition: fc.nat(partitions - 1),
      padding: fc.oneof({ weight: 6, arbitrary: fc.nat(60) }, { weight: 1, arbitrary: fc.constantFrom(250, 900) }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 200, 400, 1_000) }) },
)

interface Item {
  readonly value: string
  readonly priority: Priority
  readonly partition: number
  readonly bytes: number
  readonly dueMs: number
}

/** What a full queue does, as simply as it can be said, while nothing leaves it. */
class Model {
  inside: Item[] = []
  line: Item[] = []
  readonly outcomes = new Map<string, string>()
  nowMs = 0

  send(item: Item): void {
    const rank = priorities.indexOf(item.priority)
    const isBehind = this.line.some(({ priority }) => priorities.indexOf(priority) <= rank)
    if (!isBehind && this.enter(item)) return
    if (item.priority === 'low') this.outcomes.set(item.value, 'low_priority_drop')
    else if (this.line.length >= maxWaiting) this.outcomes.set(item.value, 'waiting_full')
    else this.line.push(item)
  }

  enter(item: Item): boolean {
    const before = this.inside
    if (item.priority === 'high') while (!this.fits(item) && this.evictable()) this.remove(this.evictable()!)
    if (!this.fits(item)) {
      this.inside = before
      return false
    }
    for (const gone of before) if (!this.inside.includes(gone)) this.outcomes.set(gone.value, 'old_message_dropped')
    this.inside = [...this.inside, item]
    return true
  }

  fits({ bytes }: Item): boolean {
    const bytesInside = this.inside.reduce((sum, other) => sum + other.bytes, 0)
    const isRoom = this.inside.length < maxRecords && bytesInside + bytes <= maxBytes
    return isRoom || this.inside.length === 0
  }

  evictable(): Item | undefined {
    const oldestOf = (priority: Priority) => this.inside.find((item) => item.priority === priority)
    return oldestOf('low') ?? oldestOf('medium')
  }

  remove(item: Item): void {
    this.inside = this.inside.filter((other) => other !== item)
  }

  pass(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      const next = this.line.toSorted((a, b) => a.dueMs - b.dueMs)[0]
      if (!next || next.dueMs > untilMs) break
      this.outcomes.set(next.value, 'timeout_drop')
      this.line = this.line.filter((item) => item !== next)
      this.letIn()
    }
    this.nowMs = untilMs
  }

  letIn(): void {
    for (const priority of priorities) {
      for (const item of this.line.filter((other) => other.priority === priority)) {
        if (!this.enter(item)) return
        this.line = this.line.filter((other) => other !== item)
      }
    }
  }
}

/** One whose batches stay unsealed, since nobody leads the partitions until the test says so. */
async function openFull() {
  const opened = await openProducer(
    { deliveryTimeoutMs: 100_000, lingerMs: 5, batchBytes: 200, queue: { maxRecords, maxBytes, maxWaiting } },
    { partitions },
  )
  for (let partition = 0; partition < partitions; partition++) opened.cluster.lead(letters.name, partition, -1)
  opened.cluster.learn([letters.name])
  return opened
}

const runs = Number(process.env['SLUICE_LONG_RUNS'] ?? 200)

test('a full queue evicts, makes wait and refuses exactly as its model does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
      const { cluster, producer, send, pass, logs } = await openFull()
      const model = new Model()
      const sent: Fated[] = []
      for (const next of steps) {
        if (next.kind === 'send') {
          const { priority, partition, padding } = next
          const value = String(sent.length).padStart(padding, '.')
          const bytes = recordSizeUpperBound({
            key: null,
            value: Buffer.from(value),
            headers: undefined,
            timestampMs: 0,
          })
          model.send({ value, priority, partition, bytes, dueMs: model.nowMs + waitMs[priority] })
          sent.push(send(value, partition, priority))
        } else if (next.kind === 'pass') {
          model.pass(next.ms)
          await pass(next.ms)
        }
        expect(producer.inspect().queue).toMatchObject({ records: model.inside.length, waiting: model.line.length })
      }
      await pass(0)
      for (const fated of sent) {
        expect(outcomeOf(fated), fated.value).toBe(model.outcomes.get(fated.value) ?? 'pending')
      }
      for (let partition = 0; partition < partitions; partition++) cluster.lead(letters.name, partition, 1)
      await pass(5_000)
      const delivered = sent.filter((fated) => outcomeOf(fated) === 'delivered').map(({ value }) => value)
      expect(logs.flatMap(({ log }) => log).toSorted()).toEqual(delivered.toSorted())
      expect(sent.map(outcomeOf)).not.toContain('pending')
      await producer.close()
    }),
    { numRuns: runs },
  )
}, 900_000)
