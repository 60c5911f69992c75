import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ManualClock } from '@sluice/flow'
import { DeliveryError, json, text, topic, type OutgoingRecord, type Topic } from '@sluice/kafka'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Ledger } from './ledger.ts'
import { Outflow, type OrderedProducer, type OutflowOptions } from './outflow.ts'
import type { Pace } from './pace.ts'

const numbers = topic('numbers', { key: text, value: json<number>() })

/** Acknowledges each record when the next one is pulled, except where it is told to fail. */
class ScriptedProducer implements OrderedProducer {
  readonly sent: unknown[] = []
  failAt: number | undefined
  error: Error = new DeliveryError('numbers', 0, 'unknown', 'gave up')

  async *sendAll<K, V>(_topic: Topic<K, V>, source: AsyncIterable<OutgoingRecord<K, V>>): AsyncGenerator {
    for await (const { value } of source) {
      if (value === this.failAt) throw this.error
      this.sent.push(value)
      yield value
    }
  }
}

describe('Outflow', () => {
  let folder: string
  let ledger: Ledger
  const clock = new ManualClock()
  const producer = new ScriptedProducer()
  let stop: AbortController
  let made = 0

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'outflow-'))
    ledger = new Ledger(join(folder, 'ledger.txt'))
    stop = new AbortController()
    made = 0
    producer.sent.length = 0
    producer.failAt = undefined
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function outflow(options: Partial<OutflowOptions<number>> = {}): Outflow<number> {
    return new Outflow({
      topic: numbers,
      producer,
      pace,
      make: (count) => Promise.resolve(Array.from({ length: count }, () => one(made++))),
      ledger,
      maxInFlight: 10,
      clock,
      log: pino({ level: 'silent' }),
      signal: stop.signal,
      ...options,
    })
  }

  /** Three a second. */
  async function* pace(): Pace {
    while (!stop.signal.aborted) {
      yield 3
      await clock.sleep(1_000, stop.signal).catch(() => undefined)
    }
  }

  const one = (n: number) => ({ id: `id-${n}`, record: { key: null, value: n } })
  const written = (): string[] => {
    ledger.flush()
    return readFileSync(ledger.path, 'utf8').split('\n').slice(0, -1)
  }

  it('writes down what was acknowledged, in order', async () => {
    const flow = outflow()
    const running = flow.run()
    await clock.advanceAsync(1_500)
    stop.abort()
    await running
    expect(written()).toEqual(['id-0', 'id-1', 'id-2', 'id-3', 'id-4', 'id-5'])
    expect(flow.inspect()).toMatchObject({ acknowledged: 6, failed: 0, inFlight: 0 })
  })

  it('goes on after a record that was given up, and writes down no id that was not acknowledged', async () => {
    producer.failAt = 4
    const flow = outflow()
    const running = flow.run()
    await clock.advanceAsync(4_500)
    stop.abort()
    await running
    expect(written()).toEqual(producer.sent.map((n) => `id-${String(n)}`))
    expect(producer.sent).not.toContain(4)
    expect(producer.sent.length).toBeGreaterThan(6)
    expect(flow.inspect().failed).toBe(1)
  })

  it('ends with an error that no repetition can mend', async () => {
    producer.failAt = 1
    producer.error = new Error('the topic is gone')
    await expect(outflow().run()).rejects.toThrow('the topic is gone')
    producer.error = new DeliveryError('numbers', 0, 'unknown', 'gave up')
  })

  it('waits and says so while there is nothing to make events of', async () => {
    let isEmpty = true
    const make = (count: number) => Promise.resolve(isEmpty ? [] : Array.from({ length: count }, () => one(made++)))
    const flow = outflow({ make })
    const running = flow.run()
    await clock.advanceAsync(2_500)
    expect(flow.inspect()).toMatchObject({ acknowledged: 0, waitingFor: 'the cache, which is empty' })
    isEmpty = false
    await clock.advanceAsync(2_500)
    stop.abort()
    await running
    expect(flow.inspect().waitingFor).toBeUndefined()
    expect(flow.inspect().acknowledged).toBeGreaterThan(0)
  })

  it('says when it is Redis that it waits for', async () => {
    const flow = outflow({ make: () => Promise.reject(new Error('away')) })
    const running = flow.run()
    await clock.advanceAsync(2_500)
    expect(flow.inspect().waitingFor).toBe('Redis')
    stop.abort()
    await running
  })
})
