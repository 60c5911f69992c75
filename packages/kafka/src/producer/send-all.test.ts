import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { letters, openProducer } from './testing/open-producer.ts'
import { sentBatches } from './testing/sent-batches.ts'

const record = (value: string) => ({ value })

/** A source that counts what was pulled from it and says whether it was left. */
function source(count: number) {
  const state = { pulled: 0, isLeft: false }
  function* records() {
    try {
      for (let i = 0; i < count; i++) {
        state.pulled++
        yield record(String(i))
      }
    } finally {
      state.isLeft = true
    }
  }
  return { state, records: records() }
}

function thenable(then: () => never): object {
  const made = {}
  Reflect.set(made, 'then', then)
  return made
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await turn()
}

describe('sendAll', () => {
  test('delivers in the order of the source, whatever the partitions do', async () => {
    const { cluster, logs, producer, pass } = await openProducer({ lingerMs: 1 }, { partitions: 3 })
    let requests = 0
    cluster.fate = () => (requests++ % 3 === 1 ? { refusedWith: 'NOT_ENOUGH_REPLICAS' } : 'answered')
    const records = Array.from({ length: 200 }, (_, i) => ({ value: String(i), partition: i % 3 }))
    const values: string[] = []
    const reading = (async () => {
      for await (const { partition, offset } of producer.sendAll(letters, records, { maxInFlight: 20 })) {
        values.push(logs[partition]!.log[offset]!)
      }
    })()
    await pass(20_000)
    await reading
    expect(values).toEqual(records.map(({ value }) => value))
  })

  test('pulls only as many as may be in flight, and more as deliveries are taken', async () => {
    const { producer, pass } = await openProducer({ lingerMs: 0 })
    const { state, records } = source(100)
    const deliveries = producer.sendAll(letters, records, { maxInFlight: 8 })
    const first = deliveries.next()
    await pass(50)
    expect(state.pulled).toBe(8)
    await first
    await deliveries.next()
    await pass(50)
    expect(state.pulled).toBe(10)
    await deliveries.return()
  })

  test('does not let a batch wait for records that cannot come', async () => {
    const { cluster, producer, pass } = await openProducer({ lingerMs: 60_000 })
    void producer.sendAll(letters, source(100).records, { maxInFlight: 4 }).next()
    await pass(5)
    expect(sentBatches(cluster)[0]!.values).toEqual(['0', '1', '2', '3'])
  })

  test('does not pull while the queue is throttled', async () => {
    const queue = { maxRecords: 10, highWatermark: 4, lowWatermark: 1 }
    const { cluster, producer, pass } = await openProducer({ queue })
    cluster.fate = () => 'unreachable'
    const { state, records } = source(100)
    const first = producer.sendAll(letters, records).next()
    await pass(500)
    expect(state.pulled).toBe(4)
    cluster.fate = () => 'answered'
    await pass(5_000)
    expect((await first).value).toMatchObject({ offset: 0 })
    expect(state.pulled).toBeGreaterThan(4)
  })

  test('yields a delivery while the source has nothing more yet', async () => {
    const { producer, pass } = await openProducer({ lingerMs: 0 })
    const never = Promise.withResolvers<void>()
    async function* slow() {
      yield record('a')
      await never.promise
    }
    const deliveries = producer.sendAll(letters, slow())
    const first = deliveries.next()
    await pass(10)
    expect((await first).value).toMatchObject({ offset: 0 })
    await deliveries.return()
  })

  test('ends with the error of the first record that fails, after the deliveries before it', async () => {
    const { producer, pass } = await openProducer({ lingerMs: 0 })
    const { state, records } = source(1_000)
    const bad = { value: 'bad', partition: 99 }
    function* withBad() {
      yield record('a')
      yield bad
      yield* records
    }
    const taken: number[] = []
    const reading = (async () => {
      for await (const { offset } of producer.sendAll(letters, withBad(), { maxInFlight: 4 })) taken.push(offset)
    })()
    const failure = reading.catch((error: unknown) => error)
    await pass(50)
    expect(await failure).toMatchObject({ field: 'partition' })
    expect(taken).toEqual([0])
    expect([state.isLeft, state.pulled < 10]).toEqual([true, true])
  })

  test('ends with the error of the source, after the deliveries of what it gave', async () => {
    const { producer, pass } = await openProducer({ lingerMs: 0 })
    function* breaking() {
      yield record('a')
      throw new Error('the source broke')
    }
    const taken: number[] = []
    const reading = (async () => {
      for await (const { offset } of producer.sendAll(letters, breaking())) taken.push(offset)
    })()
    const failure = reading.catch((error: unknown) => error)
    await pass(50)
    expect(await failure).toMatchObject({ message: 'the source broke' })
    expect(taken).toEqual([0])
  })

  test('leaves the source when it is left', async () => {
    const { producer, pass } = await openProducer({ lingerMs: 0 })
    const { state, records } = source(100)
    const reading = (async () => {
      for await (const _ of producer.sendAll(letters, records, { maxInFlight: 4 })) break
    })()
    await pass(50)
    await reading
    await settle()
    expect([state.isLeft, state.pulled < 10]).toEqual([true, true])
  })

  const hostile = Object.assign(Object.create(null), { toString: () => hostile })
  const throwing = (thrown: unknown) => () => {
    throw thrown
  }
  test.each([
    ['undefined', throwing(undefined)],
    ['an object without a prototype', throwing(hostile)],
    ['a symbol', throwing(Symbol('left'))],
    ['a promise that rejects', () => Promise.reject(hostile)],
    ['a thenable that throws', () => thenable(throwing(undefined))],
  ])('survives a source whose return() throws %s when it is left', async (_, leave) => {
    const { producer, pass } = await openProducer({ lingerMs: 0 })
    const warned = new Promise<Error & { code?: string }>((resolve) => process.once('warning', resolve))
    const records = { next: () => ({ done: false, value: record('a') }), return: leave as () => never }
    const reading = (async () => {
      const source = { [Symbol.asyncIterator]: () => records as never }
      for await (const _ of producer.sendAll(letters, source, { maxInFlight: 4 })) break
    })()
    await pass(50)
    await reading
    expect((await warned).code).toBe('SLUICE_LEFT_SOURCE')
  })

  const badSteps: readonly (readonly [string, () => unknown])[] = [
    ['throws undefined', throwing(undefined)],
    ['gives a promise that rejects', () => Promise.reject(new Error('broken'))],
    ['gives a thenable that throws', () => thenable(throwing(new Error('broken')))],
    ['gives nothing', () => undefined],
    ['gives a record that cannot be read', () => ({ done: false, value: new Proxy({}, { get: throwing(hostile) }) })],
  ]
  test.each(badSteps)('ends where a source %s, after the deliveries before it', async (_, step) => {
    const { producer, pass } = await openProducer({ lingerMs: 0 })
    let pulled = 0
    const records = { next: () => (pulled++ === 0 ? { done: false, value: record('a') } : step()) }
    const taken: number[] = []
    const reading = (async () => {
      const source = { [Symbol.asyncIterator]: () => records as never }
      for await (const { offset } of producer.sendAll(letters, source)) taken.push(offset)
    })()
    const outcome = reading.then(
      () => 'ended',
      () => 'failed',
    )
    await pass(50)
    expect([await outcome, taken]).toEqual(['failed', [0]])
  })

  test('ends with the reason of its signal, even while nothing is delivered', async () => {
    const { cluster, producer, pass } = await openProducer({ lingerMs: 0 })
    cluster.fate = () => 'frozen'
    const { state, records } = source(100)
    const abort = new AbortController()
    const first = producer.sendAll(letters, records, { maxInFlight: 4, signal: abort.signal }).next()
    await pass(5)
    abort.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    await settle()
    expect(state.isLeft).toBe(true)
  })

  test.each(['signal', 'close'])('leaves the source where the %s ends it while the queue is throttled', async (how) => {
    const queue = { maxRecords: 10, highWatermark: 4, lowWatermark: 1 }
    const { cluster, producer, pass } = await openProducer({ queue })
    cluster.fate = () => 'unreachable'
    const { state, records } = source(100)
    const abort = new AbortController()
    const reading = producer.sendAll(letters, records, { signal: abort.signal }).next()
    const failure = reading.catch((error: unknown) => error)
    await pass(50)
    if (how === 'signal') abort.abort(new Error('enough'))
    else void producer.close({ timeoutMs: 0 })
    await pass(10)
    expect(await failure).toBeInstanceOf(Error)
    expect([state.isLeft, state.pulled]).toEqual([true, 4])
  })

  test('waits for room in bytes as long as it takes, and pulls no more meanwhile', async () => {
    const queue = { maxBytes: 200, maxWaitMs: 100 }
    const { cluster, producer, pass } = await openProducer({ queue, lingerMs: 0 })
    cluster.fate = () => 'unreachable'
    let pulled = 0
    function* large() {
      for (; pulled < 5; pulled++) yield record('x'.repeat(70))
    }
    const taken: number[] = []
    const reading = (async () => {
      for await (const { offset } of producer.sendAll(letters, large())) taken.push(offset)
    })()
    await pass(1_000)
    expect([pulled, producer.inspect().queue.waiting]).toEqual([1, 1])
    cluster.fate = () => 'answered'
    await pass(5_000)
    await reading
    expect(taken).toEqual([0, 1, 2, 3, 4])
  })

  test('calls off what waits for room when it is left', async () => {
    const { cluster, producer, pass } = await openProducer({ queue: { maxBytes: 200 }, lingerMs: 0 })
    cluster.fate = () => 'unreachable'
    const { state, records } = source(100)
    const abort = new AbortController()
    const long = (function* () {
      for (const { value } of records) yield record(value.padStart(70))
    })()
    const first = producer.sendAll(letters, long, { signal: abort.signal }).next()
    await pass(50)
    expect(producer.inspect().queue.waiting).toBe(1)
    abort.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    await pass(50)
    expect([producer.inspect().queue.waiting, state.isLeft]).toEqual([0, true])
  })

  test('is over at once where there is nothing to send', async () => {
    const { producer } = await openProducer()
    expect(await producer.sendAll(letters, []).next()).toEqual({ done: true, value: undefined })
  })

  test('refuses a maximum that makes no sense', async () => {
    const { producer } = await openProducer()
    await expect(producer.sendAll(letters, [], { maxInFlight: 0 }).next()).rejects.toMatchObject({
      field: 'maxInFlight',
    })
  })
})
