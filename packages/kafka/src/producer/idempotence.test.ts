import { describe, expect, test } from 'vitest'
import { errorCode } from '../driver/classify.ts'
import { letters, openProducer, outcomeOf } from './testing/open-producer.ts'
import { sentBatches } from './testing/sent-batches.ts'
import { requestTimeoutMs } from './testing/simulated-cluster.ts'
import type { Fate } from './testing/simulated-cluster.ts'

const identities = (cluster: Parameters<typeof sentBatches>[0]) =>
  sentBatches(cluster).map(({ producerId, epoch, sequence }) => [producerId, epoch, sequence])

/** The requests get these fates in turn, all later ones are answered. */
function inTurn(...fates: Fate[]): () => Fate {
  return () => fates.shift() ?? 'answered'
}

describe('giving a batch up', () => {
  const options = { lingerMs: 0, deliveryTimeoutMs: (requestTimeoutMs * 2) / 3 }

  test('while it is in flight: the next one goes at once, under the next epoch of the same id, and the late one is refused', async () => {
    const { cluster, log, send, pass } = await openProducer(options)
    cluster.fate = inTurn('frozen')
    const [a, b] = [send('a'), send('b')]
    await pass(options.deliveryTimeoutMs)
    expect([a, b].map(outcomeOf)).toEqual(['unknown', 'unknown'])

    const c = send('c')
    await pass(10)
    expect(outcomeOf(c)).toBe('delivered')
    cluster.thaw()
    expect(log.log).toEqual(['c'])
    expect(identities(cluster)).toEqual([
      [1, 0, 0],
      [1, 1, 0],
    ])
  })

  test('after it was certainly refused: the next one takes its sequence numbers over', async () => {
    const { cluster, send, pass } = await openProducer(options)
    const first = send('first')
    await pass(10)
    cluster.fate = inTurn({ refusedWith: 'INVALID_RECORD' })
    const bad = send('bad')
    await pass(10)
    const next = send('next')
    await pass(10)
    expect([first, bad, next].map(outcomeOf)).toEqual(['delivered', 'refused', 'delivered'])
    expect(identities(cluster)).toEqual([
      [1, 0, 0],
      [1, 0, 1],
      [1, 0, 1],
    ])
  })

  test('after an error code that nobody knows yet: it may be in the log, and keeps its sequence numbers', async () => {
    const { cluster, log, send, pass } = await openProducer(options)
    cluster.fate = inTurn({ refusedWith: 9_999, afterAppend: true })
    const a = send('a')
    await pass(10)
    expect(outcomeOf(a)).toBe('unknown')
    const b = send('b')
    await pass(10)
    expect(outcomeOf(b)).toBe('delivered')
    expect(log.log).toEqual(['a', 'b'])
    expect(identities(cluster)).toEqual([
      [1, 0, 0],
      [1, 1, 0],
    ])
  })

  test('makes the late end of its request mean nothing to the next batch', async () => {
    const { cluster, send, pass } = await openProducer({ ...options, retryBackoffMs: 1 })
    cluster.fate = inTurn('frozen', 'frozen')
    send('a')
    await pass(options.deliveryTimeoutMs)
    send('b')
    await pass(requestTimeoutMs - options.deliveryTimeoutMs + 20)
    expect(sentBatches(cluster).map(({ values }) => values)).toEqual([['a'], ['b']])
  })

  test('does not disturb the other partitions', async () => {
    const { cluster, send, pass } = await openProducer(options, { partitions: 2 })
    send('x', 1)
    await pass(10)
    cluster.fate = inTurn('frozen')
    send('a', 0)
    await pass(options.deliveryTimeoutMs)
    send('b', 0)
    send('y', 1)
    await pass(10)
    const ofOther = sentBatches(cluster).filter(({ partition }) => partition === 1)
    expect(ofOther.map(({ epoch, sequence }) => [epoch, sequence])).toEqual([
      [0, 0],
      [0, 1],
    ])
  })

  test('with the last epoch: a new producer id, and nothing is sent before it is there', async () => {
    const { cluster, send, pass } = await openProducer(options, { firstEpoch: 32_767 })
    const ready = Promise.withResolvers<void>()
    cluster.driver.initProducerId = async () => {
      await ready.promise
      return { producerId: 77n, epoch: 0 }
    }
    cluster.fate = inTurn('frozen')
    send('a')
    await pass(options.deliveryTimeoutMs)
    expect(identities(cluster)).toEqual([[1, 32_767, 0]])
    send('b')
    await pass(10)
    expect(cluster.requests).toHaveLength(1)
    ready.resolve()
    await pass(10)
    expect(identities(cluster).at(-1)).toEqual([77, 0, 0])
  })
})

describe('a retry', () => {
  test.each<Fate>(['answer_lost', 'request_lost', { refusedWith: 'REQUEST_TIMED_OUT', afterAppend: true }])(
    'after %s sends the same bytes, and the record is in the log once',
    async (fate) => {
      const { cluster, log, send, pass } = await openProducer({ lingerMs: 0 })
      cluster.fate = inTurn(fate, fate)
      const a = send('a')
      await pass(2_000)
      const [first, ...others] = sentBatches(cluster)
      expect(others.map(({ bytes }) => bytes.equals(first!.bytes))).toEqual([true, true])
      expect([outcomeOf(a), a.delivery?.offset, log.log]).toEqual(['delivered', 0, ['a']])
    },
  )

  test('keeps the order: what comes behind waits', async () => {
    const { cluster, log, send, pass } = await openProducer({ lingerMs: 0 })
    cluster.fate = inTurn('answer_lost', { refusedWith: 'NOT_ENOUGH_REPLICAS' }, 'unreachable')
    for (const value of ['a', 'b', 'c', 'd']) {
      send(value)
      await pass(1)
    }
    await pass(3_000)
    expect(log.log).toEqual(['a', 'b', 'c', 'd'])
    expect(
      sentBatches(cluster)
        .slice(0, 4)
        .map(({ values }) => values),
    ).toEqual([['a'], ['a'], ['a'], ['a']])
  })
})

describe('a broker that has lost the sequence', () => {
  const lost = ['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH']

  test.each(lost)('%s: a batch that is certainly not in the log is sealed again under the next epoch', async (name) => {
    const { cluster, log, send, pass } = await openProducer({ lingerMs: 0 })
    cluster.fate = inTurn({ refusedWith: name })
    const a = send('a')
    await pass(500)
    expect([outcomeOf(a), log.log]).toEqual(['delivered', ['a']])
    expect(identities(cluster)).toEqual([
      [1, 0, 0],
      [1, 1, 0],
    ])
  })

  test.each(lost)('%s: a batch that may be in the log is never sent under another identity', async (name) => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 0 })
    cluster.fate = inTurn('request_lost', { refusedWith: name })
    const a = send('a')
    await pass(5_000)
    expect([outcomeOf(a), cluster.requests.length]).toEqual(['unknown', 2])
    expect(a.error?.cause).toMatchObject({ apiCode: errorCode(name) })
  })

  test('goes on after an unclean election has cut the log', async () => {
    const { log, send, pass } = await openProducer({ lingerMs: 0 })
    for (const value of ['a', 'b']) {
      send(value)
      await pass(5)
    }
    log.truncate(1)
    const c = send('c')
    await pass(1_000)
    expect([outcomeOf(c), log.log]).toEqual(['delivered', ['a', 'c']])
  })

  test('goes on after retention has removed what it knew', async () => {
    const { log, send, pass } = await openProducer({ lingerMs: 0 })
    send('a')
    await pass(5)
    log.forgetProducers()
    const b = send('b')
    await pass(5)
    expect([outcomeOf(b), log.log]).toEqual(['delivered', ['a', 'b']])
  })
})

test('a duplicate that the broker no longer remembers is delivered, at an offset that is not known', async () => {
  const { cluster, send, pass } = await openProducer({ lingerMs: 0 })
  cluster.fate = inTurn({ refusedWith: 'DUPLICATE_SEQUENCE_NUMBER' })
  const a = send('a')
  await pass(5)
  expect(a.delivery).toMatchObject({ topic: letters.name, partition: 0, offset: -1 })
})

test('without idempotence batches bear no identity', async () => {
  const { cluster, producer, send, pass } = await openProducer({ lingerMs: 0, idempotent: false, acks: 1 })
  send('a')
  await pass(5)
  expect(identities(cluster)).toEqual([[-1, -1, -1]])
  expect(cluster.requests[0]!.request.acks).toBe(1)
  expect(producer.inspect().producerId).toBeNull()
})
