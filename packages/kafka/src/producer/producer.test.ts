import { describe, expect, test } from 'vitest'
import { json } from '../codecs/json.ts'
import { letters, openProducer, outcomeOf } from './testing/open-producer.ts'
import type { Fated } from './testing/open-producer.ts'
import { sentBatches } from './testing/sent-batches.ts'

const values = (cluster: Parameters<typeof sentBatches>[0]) => sentBatches(cluster).map((batch) => batch.values)
const outcomes = (records: readonly Fated[]) => records.map(outcomeOf)
const many = (count: number, send: (value: string) => Fated) => Array.from({ length: count }, (_, i) => send(String(i)))

describe('linger', () => {
  test('gathers records into one batch until its time is over', async () => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 10 })
    send('a')
    await pass(9)
    send('b')
    expect(cluster.requests).toHaveLength(0)
    await pass(1)
    expect(values(cluster)).toEqual([['a', 'b']])
  })

  test('counts for each partition from its own first record', async () => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 10 }, { partitions: 2 })
    send('a', 0)
    await pass(6)
    send('b', 1)
    await pass(20)
    expect(sentBatches(cluster).map(({ values, atMs }) => [...values, atMs])).toEqual([
      ['a', 10],
      ['b', 16],
    ])
  })

  test('ends when the batch is full', async () => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 1_000, batchBytes: 300 })
    many(10, (value) => send(value.repeat(20)))
    await pass(10)
    expect(values(cluster).flat().length).toBeGreaterThanOrEqual(6)
  })

  test('ends when the queue is throttled, and does not begin before it is released', async () => {
    const queue = { maxRecords: 10, highWatermark: 4, lowWatermark: 1 }
    const { cluster, send, pass } = await openProducer({ lingerMs: 1_000, queue })
    many(4, send)
    await pass(1)
    expect(values(cluster)).toEqual([['0', '1', '2', '3']])
    send('late')
    await pass(4)
    expect(values(cluster)).toHaveLength(2)
  })

  test('ends when somebody waits for room', async () => {
    const queue = { maxRecords: 100, highWatermark: 100, maxBytes: 130 }
    const { cluster, send, pass } = await openProducer({ lingerMs: 1_000, queue })
    const [a, b] = [send('a'.repeat(60)), send('b'.repeat(60))]
    await pass(10)
    expect(outcomes([a, b])).toEqual(['delivered', 'delivered'])
    expect(values(cluster)).toHaveLength(2)
  })

  test('ends with flush, which waits for what was accepted before and for nothing else', async () => {
    const { cluster, producer, send, pass } = await openProducer({ lingerMs: 1_000 })
    const a = send('a')
    let flushed = ''
    void producer.flush().then(() => (flushed = outcomeOf(a)))
    await pass(1)
    expect(values(cluster)).toEqual([['a']])
    cluster.fate = () => 'unreachable'
    send('b')
    await pass(10)
    expect(flushed).toBe('delivered')
  })
})

describe('flush', () => {
  test('waits for those that wait for room too, unless it is aborted', async () => {
    const { cluster, producer, send, pass } = await openProducer({ lingerMs: 0, queue: { maxRecords: 1 } })
    cluster.fate = () => 'unreachable'
    const sent = many(3, send)
    const [all, some] = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()]
    void producer.flush().then(() => all.resolve(outcomes(sent)))
    const signal = AbortSignal.abort('enough')
    await expect(producer.flush(signal)).rejects.toBe('enough')
    const given = new AbortController()
    producer.flush(given.signal).then(some.reject, some.resolve)
    await pass(1)
    given.abort('too long')
    expect(await some.promise).toBe('too long')
    cluster.fate = () => 'answered'
    await pass(5_000)
    expect(await all.promise).toEqual(['delivered', 'delivered', 'delivered'])
  })
})

describe('the queue', () => {
  const queue = { maxRecords: 10, highWatermark: 8, lowWatermark: 2, maxWaitMs: 1_000 }

  test('is throttled from the high watermark down to the low one, and says so once each', async () => {
    const { cluster, producer, send, pass } = await openProducer({ queue, batchBytes: 130, lingerMs: 0 })
    const heard: unknown[] = []
    producer.on('throttled', ({ records }) => heard.push(['throttled', records]))
    producer.on('released', ({ records }) => heard.push(['released', records]))
    many(9, send)
    expect(producer.throttled).toBe(true)
    let ready = false
    void producer.ready().then(() => (ready = true))
    await pass(1)
    expect([ready, cluster.requests.length]).toEqual([false, 1])
    await pass(100)
    expect([ready, producer.throttled]).toEqual([true, false])
    expect(heard).toEqual([
      ['throttled', 8],
      ['released', expect.any(Number)],
    ])
  })

  test('never holds more than it may: who comes then waits, and is let in in turn', async () => {
    const { cluster, log, producer, send, pass } = await openProducer({ queue, lingerMs: 0 })
    const records = many(25, send)
    expect(producer.inspect().queue).toMatchObject({ records: 10, waiting: 15 })
    cluster.fate = () => {
      expect(producer.inspect().queue.records).toBeLessThanOrEqual(10)
      return 'answered'
    }
    await pass(100)
    expect(outcomes(records)).toEqual(records.map(() => 'delivered'))
    expect(log.log).toEqual(records.map(({ value }) => value))
  })

  test('keeps the order of calls even between one that was let in and one that comes at that moment', async () => {
    const { log, producer, send, pass } = await openProducer({ queue: { maxRecords: 2 }, lingerMs: 0 })
    const first = producer.send(letters, { value: '0' })
    send('1')
    send('2')
    // Runs when the first is settled: the third has its room then, but has not used it yet.
    void first.then(() => send('3'))
    await pass(50)
    expect(log.log).toEqual(['0', '1', '2', '3'])
  })

  test('lets nobody wait longer than it may', async () => {
    const { cluster, producer, send, pass } = await openProducer({ queue, lingerMs: 0 })
    cluster.fate = () => 'unreachable'
    const records = many(11, send)
    await pass(999)
    expect(outcomeOf(records[10]!)).toBe('pending')
    await pass(1)
    expect(records[10]!.error).toMatchObject({ code: 'backpressure', reason: 'timeout_drop' })
    expect(producer.inspect().shed.timeout_drop).toBe(1)
    expect(outcomes(records.slice(0, 10))).toEqual(records.slice(1).map(() => 'pending'))
  })

  test('lets only so many wait', async () => {
    const { cluster, producer, send, pass } = await openProducer({ queue: { ...queue, maxWaiting: 3 } })
    cluster.fate = () => 'unreachable'
    const records = many(14, send)
    await pass(0)
    expect(records[13]!.error).toMatchObject({ reason: 'waiting_full' })
    expect(producer.inspect().shed.waiting_full).toBe(1)
  })

  test('lets who is called off leave the line, and the next one take the place', async () => {
    const { producer, send, pass } = await openProducer({ queue: { maxRecords: 1 }, lingerMs: 0 })
    send('a')
    const abort = new AbortController()
    const off = producer.send(letters, { value: 'off' }, { signal: abort.signal })
    const b = send('b')
    abort.abort(new Error('called off'))
    await expect(off).rejects.toThrow('called off')
    await pass(20)
    expect(outcomeOf(b)).toBe('delivered')
  })

  test('trySend takes a record where there is room and nobody waits, and otherwise leaves it', async () => {
    const { producer, send, pass } = await openProducer({ queue: { maxRecords: 2 }, lingerMs: 0 })
    const taken = producer.trySend(letters, { value: 'a' })
    expect(taken).toBeInstanceOf(Promise)
    send('b')
    expect(producer.trySend(letters, { value: 'c' })).toBeUndefined()
    send('waiting')
    await pass(20)
    await expect(taken).resolves.toMatchObject({ topic: 'letters', partition: 0, offset: 0 })
    expect(producer.inspect().records).toMatchObject({ accepted: 3, delivered: 3 })
  })

  test('takes a record that is larger than itself when it is empty', async () => {
    const { send, pass } = await openProducer({ queue: { maxBytes: 100 }, lingerMs: 0 })
    const records = [send('x'.repeat(500)), send('y')]
    await pass(20)
    expect(outcomes(records)).toEqual(['delivered', 'delivered'])
  })
})

describe('a record that cannot be sent is refused before the queue', () => {
  test('too large', async () => {
    const { producer } = await openProducer({ maxRecordBytes: 1_000 })
    await expect(producer.send(letters, { value: 'x'.repeat(1_000) })).rejects.toMatchObject({
      code: 'record_too_large',
      maxRecordBytes: 1_000,
    })
    await expect(producer.trySend(letters, { value: 'x'.repeat(1_000) })).rejects.toThrow('record')
    expect(producer.inspect().queue.records).toBe(0)
  })

  test('a cyclic object as JSON, and text that is none', async () => {
    const { producer } = await openProducer()
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    const topic = { ...letters, value: json() }
    await expect(producer.send(topic, { value: cyclic })).rejects.toMatchObject({
      code: 'encode_failed',
      topic: 'letters',
      part: 'value',
      codec: 'json',
    })
    expect(producer.inspect().records.accepted).toBe(0)
  })

  test('by a codec that answers with a promise, also one that rejects', async () => {
    const { producer } = await openProducer()
    const slow = { name: 'slow', encode: () => Promise.reject(new Error('late')) as never, decode: String }
    await expect(producer.send({ ...letters, value: slow }, { value: 'v' })).rejects.toMatchObject({
      code: 'encode_failed',
      codec: 'slow',
    })
    await new Promise((resolve) => setImmediate(resolve))
  })

  test.each([
    [{ partition: -1 }, 'partition'],
    [{ partition: 0.5 }, 'partition'],
    [{ timestampMs: Number.NaN }, 'timestampMs'],
    [{ headers: { bad: 5 as never } }, 'headers.bad'],
    [{ headers: null as never }, 'headers'],
    [{ headers: 'a=1' as never }, 'headers'],
    [{ headers: new Map([['a', '1']]) as never }, 'headers'],
    [{ headers: ['a'] as never }, 'headers'],
    [{ headers: [[5, '1']] as never }, 'headers'],
  ])('%o', async (record, field) => {
    const { producer } = await openProducer({}, { partitions: 3 })
    await expect(producer.send(letters, { value: 'v', ...record })).rejects.toMatchObject({
      code: 'config_invalid',
      field,
    })
  })

  test('a topic with a space in its name', async () => {
    const { producer } = await openProducer()
    await expect(producer.send({ ...letters, name: 'my topic' }, { value: 'v' })).rejects.toMatchObject({
      field: 'topic',
    })
  })
})

describe('a topic that is not known', () => {
  const ghost = { ...letters, name: 'ghost' }

  test('is looked up, and its records go in the order they came', async () => {
    const { log, send, pass } = await openProducer({ lingerMs: 0 }, { isKnown: false })
    const records = many(5, send)
    await pass(20)
    expect(outcomes(records)).toEqual(records.map(() => 'delivered'))
    expect(log.log).toEqual(['0', '1', '2', '3', '4'])
  })

  test('and does not come to be in 1.5 seconds: its records are refused, others are not delayed', async () => {
    const { producer, send, pass } = await openProducer({ lingerMs: 0 })
    const refusal = producer.send(ghost, { value: 'v' }).catch((error: unknown) => error)
    const a = send('a')
    await pass(100)
    expect(outcomeOf(a)).toBe('delivered')
    await pass(1_500)
    expect(await refusal).toMatchObject({ outcome: 'refused', cause: { apiError: 'UNKNOWN_TOPIC_OR_PARTITION' } })
    expect(((await refusal) as Error).message).toContain('createTopics')
  })

  test('and is created meanwhile: its records are delivered', async () => {
    const { cluster, producer, pass } = await openProducer({ lingerMs: 0 })
    const sent = producer.send(ghost, { value: 'v' })
    await pass(1_000)
    cluster.createTopic('ghost', 3)
    await pass(2_000)
    await expect(sent).resolves.toMatchObject({ topic: 'ghost' })
  })

  test('and has not the partition that was asked for: that record is refused alone', async () => {
    const { send, pass } = await openProducer({ lingerMs: 0 }, { isKnown: false })
    const [bad, good] = [send('bad', 7), send('good', 0)]
    await pass(50)
    expect(bad.error).toMatchObject({ code: 'config_invalid', field: 'partition' })
    expect(outcomeOf(good)).toBe('delivered')
  })

  test('and has not the partition that one asked for that waited for room meanwhile: it leaves its place', async () => {
    const queue = { maxRecords: 2, highWatermark: 2, lowWatermark: 0 }
    const { producer, send, pass } = await openProducer({ lingerMs: 0, queue }, { isKnown: false })
    const records = [send('a'), send('b'), send('bad', 99)]
    await pass(500)
    expect(records[2]!.error).toMatchObject({ code: 'config_invalid', field: 'partition' })
    expect(outcomes(records.slice(0, 2))).toEqual(['delivered', 'delivered'])
    expect(producer.inspect()).toMatchObject({ queue: { records: 0 }, records: { accepted: 2, pending: 0 } })
    await producer.flush()
  })

  test('and no broker can say: its records wait for the delivery timeout, and are refused', async () => {
    const { cluster, send, pass } = await openProducer({ deliveryTimeoutMs: 10_000 }, { isKnown: false })
    cluster.refreshError = new Error('no broker')
    const a = send('a')
    await pass(9_999)
    expect(outcomeOf(a)).toBe('pending')
    await pass(2)
    expect(outcomeOf(a)).toBe('refused')
    expect(a.error?.cause).toBe(cluster.refreshError)
  })
})

describe('the delivery timeout', () => {
  test('gives up what is old, and not what came later into the same batch', async () => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 0, deliveryTimeoutMs: 1_000 })
    cluster.lead(letters.name, 0, -1)
    cluster.learn([letters.name])
    const old = send('old')
    await pass(600)
    const young = send('young')
    await pass(400)
    expect(outcomes([old, young])).toEqual(['refused', 'pending'])
    expect(old.error).toMatchObject({ code: 'delivery_failed', topic: 'letters', partition: 0 })
    await pass(600)
    expect(outcomeOf(young)).toBe('refused')
  })

  test('ends the search for a leader with the last record that needs one', async () => {
    const { clock, cluster, send, pass } = await openProducer({ lingerMs: 0, deliveryTimeoutMs: 5_000 })
    cluster.lead(letters.name, 0, -1)
    cluster.learn([letters.name])
    const a = send('a')
    await pass(7_000)
    expect(outcomeOf(a)).toBe('refused')
    const before = cluster.refreshes
    await pass(60_000)
    expect([cluster.refreshes - before, clock.pending]).toEqual([0, 0])
    cluster.lead(letters.name, 0, 1)
    const b = send('b')
    await pass(100)
    expect(outcomeOf(b)).toBe('delivered')
  })

  test('counts too for what is sent at the moment when others are given up', async () => {
    const queue = { maxRecords: 10, highWatermark: 3, lowWatermark: 1 }
    const options = { lingerMs: 0, deliveryTimeoutMs: 5_000, queue }
    const { cluster, producer, send, pass } = await openProducer(options, { partitions: 2 })
    for (const partition of [0, 1]) cluster.lead(letters.name, partition, -1)
    cluster.learn([letters.name])
    const late: Fated[] = []
    producer.on('released', () => late.push(send('late')))
    many(3, (value) => send(value, 1))
    await pass(1_000)
    const young = send('young', 1)
    await pass(4_000)
    expect(outcomes([young, ...late])).toEqual(['pending', 'pending'])
    await pass(1_000)
    expect(outcomes([young, ...late])).toEqual(['refused', 'pending'])
    await pass(4_000)
    expect(outcomes(late)).toEqual(['refused'])
  })

  test('counts too for what is sent at the moment when all others are given up', async () => {
    const queue = { maxRecords: 10, highWatermark: 2, lowWatermark: 0 }
    const options = { lingerMs: 0, deliveryTimeoutMs: 5_000, queue }
    const { cluster, producer, send, pass } = await openProducer(options, { partitions: 2 })
    for (const partition of [0, 1]) cluster.lead(letters.name, partition, -1)
    cluster.learn([letters.name])
    const late: Fated[] = []
    producer.on('released', () => late.push(send('late')))
    many(2, (value) => send(value, 1))
    await pass(5_000)
    expect(outcomes(late)).toEqual(['pending'])
    await pass(5_000)
    expect(outcomes(late)[0]).toBe('refused')
  })

  test('has room for others again', async () => {
    const { cluster, send, pass } = await openProducer({ deliveryTimeoutMs: 200, queue: { maxRecords: 1 } })
    cluster.fate = () => (cluster.requests.length === 1 ? 'frozen' : 'answered')
    const a = send('a')
    const b = send('b')
    await pass(300)
    expect(outcomes([a, b])).toEqual(['unknown', 'delivered'])
  })
})

describe('close', () => {
  test('delivers what it has, and accounts for it', async () => {
    const { producer, send, pass } = await openProducer({ lingerMs: 60_000 })
    const records = many(3, send)
    expect(producer.inspect().state).toBe('open')
    const closing = producer.close()
    expect(producer.inspect().state).toBe('closing')
    await pass(10)
    expect(producer.inspect().state).toBe('closed')
    expect(await closing).toEqual({ accepted: 3, delivered: 3, refused: 0, unknown: 0, abandoned: 0 })
    expect(outcomes(records)).toEqual(['delivered', 'delivered', 'delivered'])
  })

  test('ends within its time whatever happens, and says what it gave up', async () => {
    const { clock, cluster, producer, send, pass } = await openProducer({ lingerMs: 0 }, { partitions: 2 })
    cluster.lead(letters.name, 1, -1)
    cluster.learn([letters.name])
    cluster.fate = () => 'frozen'
    const records = [send('in flight', 0), send('never sent', 1)]
    await pass(1)
    const closing = producer.close({ timeoutMs: 50 })
    await pass(50)
    expect(await closing).toEqual({ accepted: 2, delivered: 0, refused: 1, unknown: 1, abandoned: 2 })
    expect(outcomes(records)).toEqual(['unknown', 'refused'])
    await pass(1_000)
    expect(clock.pending).toBe(0)
  })

  test('refuses a time that makes no sense, and is not closed by it', async () => {
    const { producer, send, pass } = await openProducer({ lingerMs: 0 })
    await expect(producer.close({ timeoutMs: -1 })).rejects.toMatchObject({ field: 'timeoutMs' })
    const a = send('a')
    await pass(10)
    expect(outcomeOf(a)).toBe('delivered')
  })

  test('takes no more, and sends those away that wait', async () => {
    const { producer, send, pass } = await openProducer({ queue: { maxRecords: 1 } })
    const [a, waiting] = [send('a'), send('waiting')]
    const closing = producer.close()
    const late = send('late')
    await pass(50)
    expect([outcomeOf(a), waiting.error, late.error]).toMatchObject([
      'delivered',
      { code: 'closed' },
      { code: 'closed' },
    ])
    await expect(producer.ready()).rejects.toMatchObject({ code: 'closed' })
    expect(await closing).toMatchObject({ accepted: 1, delivered: 1 })
    expect(producer.close()).toBe(producer.close())
  })
})

test('headers, keys and timestamps are written as they were given', async () => {
  const { cluster, producer, pass } = await openProducer({ lingerMs: 0 })
  const headers = { a: '1', b: null, c: Buffer.from([1]) }
  const sent = producer.send(letters, { key: 'k', value: 'v', headers, timestampMs: 42 })
  await pass(5)
  await expect(sent).resolves.toMatchObject({ timestampMs: 42 })
  expect(sentBatches(cluster)[0]!.bytes.includes('k')).toBe(true)
})

test('a burst of records without a key is spread over the partitions, a full batch at a time', async () => {
  const { cluster, producer, pass } = await openProducer({ batchBytes: 500 }, { partitions: 4 })
  for (let i = 0; i < 400; i++) void producer.send(letters, { value: 'v'.repeat(40) })
  await pass(1_000)
  const partitions = sentBatches(cluster).map(({ partition }) => partition)
  expect(new Set(partitions).size).toBe(4)
  expect(new Set(cluster.requests[0]!.request.batches.map(({ partition }) => partition)).size).toBe(4)
})

test('records without a key go to one partition batch by batch, those with one always to the same', async () => {
  const { cluster, producer, pass } = await openProducer({ lingerMs: 5 }, { partitions: 8 })
  const sent: Promise<{ readonly partition: number }>[] = []
  for (let batch = 0; batch < 30; batch++) {
    for (let i = 0; i < 4; i++) sent.push(producer.send(letters, { value: 'v' }))
    await pass(20)
  }
  expect(sentBatches(cluster).map((batch) => batch.values.length)).toEqual(Array.from({ length: 30 }, () => 4))
  expect(new Set(sentBatches(cluster).map(({ partition }) => partition)).size).toBeGreaterThan(3)
  const keyed = [producer.send(letters, { key: 'k', value: '1' }), producer.send(letters, { key: 'k', value: '2' })]
  await pass(20)
  const [first, second] = await Promise.all(keyed)
  expect(first!.partition).toBe(second!.partition)
})
