import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ManualClock } from '@sluice/flow'
import { DeliveryError, json, text, topic, type OutgoingRecord, type Topic } from '@sluice/kafka'
import pino from 'pino'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Ledger } from './ledger.ts'
import { Outflow, type QueueingProducer, type OutflowOptions } from './outflow.ts'
import type { Pace } from './pace.ts'

const numbers = topic('numbers', { key: text, value: json<number>() })

/** Acknowledges each record at once, except those that it is told to fail or to hold back. */
class ScriptedProducer implements QueueingProducer {
  readonly sent: unknown[] = []
  readonly held: PromiseWithResolvers<void>[] = []
  throttled = false
  isHolding = false
  failAt: number | undefined
  error: Error = new DeliveryError('numbers', 0, 'unknown', 'gave up')

  ready(): Promise<void> {
    return Promise.resolve()
  }

  send<K, V>(_topic: Topic<K, V>, { value }: OutgoingRecord<K, V>): Promise<void> {
    if (value === this.failAt) return Promise.reject(this.error)
    this.sent.push(value)
    if (!this.isHolding) return Promise.resolve()
    const held = Promise.withResolvers<void>()
    this.held.push(held)
    return held.promise
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
    producer.held.length = 0
    producer.isHolding = false
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

  it('writes down what is acknowledged after a record that failed before it', async () => {
    producer.failAt = 0
    producer.isHolding = true
    const flow = outflow()
    const running = flow.run()
    await clock.advanceAsync(500)
    expect(flow.inspect()).toMatchObject({ acknowledged: 0, failed: 1, inFlight: 2 })
    for (const held of producer.held) held.resolve()
    producer.isHolding = false
    await clock.advanceAsync(2_000)
    stop.abort()
    await running
    expect(written()).toEqual(producer.sent.map((n) => `id-${String(n)}`))
    expect(producer.sent.slice(0, 2)).toEqual([1, 2])
    expect(flow.inspect().failed).toBe(1)
  })

  it('is not over before all that was sent is settled', async () => {
    producer.isHolding = true
    const running = outflow().run()
    await clock.advanceAsync(500)
    stop.abort()
    expect(await Promise.race([running.then(() => 'over'), clock.advanceAsync(500)])).toBeUndefined()
    for (const held of producer.held) held.resolve()
    await running
    expect(written()).toEqual(['id-0', 'id-1', 'id-2'])
  })

  it('ends with the failure of a ledger that cannot be written', async () => {
    await expect(
      outflow({
        ledger: {
          append: () => {
            throw new Error('the disk is full')
          },
        },
      }).run(),
    ).rejects.toThrow('the disk is full')
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
