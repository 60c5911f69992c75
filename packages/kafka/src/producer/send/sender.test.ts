import { describe, expect, test } from 'vitest'
import type { BrokerError } from '../../errors.ts'
import { letters, openProducer, outcomeOf } from '../testing/open-producer.ts'
import { sentBatches } from '../testing/sent-batches.ts'
import type { Fate } from '../testing/simulated-cluster.ts'

const at = (cluster: Parameters<typeof sentBatches>[0]) =>
  sentBatches(cluster).map(({ broker, atMs }) => [broker, atMs])

function inTurn(...fates: Fate[]): () => Fate {
  return () => fates.shift() ?? 'answered'
}

describe('a leader that moved', () => {
  test('is followed at once where the broker names the new one', async () => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 0 })
    cluster.lead(letters.name, 0, 2)
    cluster.fate = inTurn({ refusedWith: 'NOT_LEADER_OR_FOLLOWER', hint: { leader: 2, leaderEpoch: 1 } })
    const a = send('a')
    await pass(4)
    expect(outcomeOf(a)).toBe('delivered')
    expect(at(cluster)).toEqual([
      [1, 0],
      [2, 2],
    ])
  })

  test('is looked up where it does not', async () => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 0 })
    cluster.lead(letters.name, 0, 2)
    const a = send('a')
    await pass(200)
    expect([outcomeOf(a), cluster.refreshes]).toEqual(['delivered', 1])
    expect(sentBatches(cluster).map(({ broker }) => broker)).toEqual([1, 2])
  })

  test('is found for partitions that wait for a broker that cannot be reached', async () => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 0, maxInFlightRequests: 1 }, { partitions: 2 })
    cluster.fate = (_, broker) => (broker.id === 1 ? 'unreachable' : 'answered')
    const records = [send('a', 0), send('b', 1)]
    await pass(1)
    cluster.lead(letters.name, 0, 2)
    cluster.lead(letters.name, 1, 2)
    await pass(500)
    expect(records.map(outcomeOf)).toEqual(['delivered', 'delivered'])
  })
})

test('a partition that waits behind a frozen broker goes to its new leader as soon as that is known', async () => {
  const { cluster, send, pass } = await openProducer({ lingerMs: 0, maxInFlightRequests: 1 }, { partitions: 3 })
  cluster.lead(letters.name, 2, 3)
  cluster.learn([letters.name])
  cluster.fate = (_, broker) => (broker.id === 1 ? 'frozen' : 'answered')
  send('in flight', 0)
  await pass(1)
  const waiting = send('waiting', 1)
  cluster.lead(letters.name, 1, 2)
  cluster.lead(letters.name, 2, 2)
  send('makes it ask', 2)
  await pass(200)
  expect(outcomeOf(waiting)).toBe('delivered')
})

test('a partition without a leader delays its own records alone', async () => {
  const { cluster, send, pass } = await openProducer({ lingerMs: 0 }, { partitions: 2 })
  cluster.lead(letters.name, 0, -1)
  cluster.learn([letters.name])
  const [a, b] = [send('a', 0), send('b', 1)]
  await pass(1_000)
  expect([a, b].map(outcomeOf)).toEqual(['pending', 'delivered'])
  cluster.lead(letters.name, 0, 2)
  await pass(1_500)
  expect(outcomeOf(a)).toBe('delivered')
})

test("a broker's quota delays its own next request alone", async () => {
  const { cluster, send, pass } = await openProducer({ lingerMs: 0 }, { partitions: 2 })
  cluster.lead(letters.name, 1, 2)
  cluster.learn([letters.name])
  cluster.fate = inTurn({ throttledMs: 700 })
  send('a', 0)
  await pass(5)
  send('b', 0)
  send('c', 1)
  await pass(1_000)
  expect(at(cluster)).toEqual([
    [1, 0],
    [2, 5],
    [1, 702],
  ])
})

test('a broker has as many requests in flight as it may, and a partition one batch', async () => {
  const partitions = 8
  const { cluster, send, pass } = await openProducer({ lingerMs: 0, maxInFlightRequests: 3 }, { partitions })
  cluster.fate = (request) => {
    expect(new Set(request.batches.map(({ partition }) => partition)).size).toBe(request.batches.length)
    return 'answered'
  }
  const records = []
  for (let i = 0; i < 200; i++) {
    records.push(send(String(i), i % partitions))
    if (i % 3 === 0) await pass(i % 2)
  }
  await pass(500)
  expect(records.map(outcomeOf)).not.toContain('pending')
  expect(cluster.sentTwiceAtOnce).toBe(0)
  expect(cluster.mostInFlight).toBe(3)
})

test('a request holds what fits, and a batch that does not fit goes with the next', async () => {
  const sizes = { maxRequestBytes: 1_000, batchBytes: 500, maxRecordBytes: 500 }
  const { cluster, send, pass } = await openProducer({ lingerMs: 0, ...sizes }, { partitions: 6 })
  const records = Array.from({ length: 6 }, (_, partition) => send('x'.repeat(300), partition))
  await pass(10)
  expect(records.map(outcomeOf)).toEqual(Array.from({ length: 6 }, () => 'delivered'))
  const sums = cluster.requests.map(({ request }) => request.batches.reduce((sum, { batch }) => sum + batch.length, 0))
  expect(sums).toHaveLength(3)
  expect(Math.max(...sums)).toBeLessThanOrEqual(1_000)
})

test('much that is due at once goes in more than one request, so that the broker writes while we encode', async () => {
  const { cluster, send, pass } = await openProducer({ lingerMs: 0 }, { partitions: 6 })
  const records = Array.from({ length: 6 }, (_, partition) => send('x'.repeat(60_000), partition))
  await pass(10)
  expect(records.map(outcomeOf)).toEqual(records.map(() => 'delivered'))
  expect(cluster.requests.map(({ request }) => request.batches.length)).toEqual([3, 3])
  expect(cluster.mostInFlight).toBe(2)
})

describe('a broker that cannot be reached', () => {
  test('is tried again with growing pauses, and delivers when it is back', async () => {
    const options = { lingerMs: 0, retryBackoffMs: 100, maxRetryBackoffMs: 400, breaker: { failures: 100 } }
    const { cluster, send, pass } = await openProducer(options)
    cluster.fate = () => 'unreachable'
    const a = send('a')
    await pass(3_000)
    const times = at(cluster).map(([, atMs]) => atMs!)
    const pauses = times.slice(1).map((atMs, index) => atMs - times[index]!)
    expect(pauses[0]).toBeLessThanOrEqual(100)
    expect(Math.max(...pauses)).toBeGreaterThan(150)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(400)
    cluster.fate = () => 'answered'
    await pass(400)
    expect(outcomeOf(a)).toBe('delivered')
  })

  test('after so many retries as are allowed: the record is refused, since nothing was ever sent', async () => {
    const { cluster, send, pass } = await openProducer({ lingerMs: 0, retries: 3 })
    cluster.fate = () => 'unreachable'
    const a = send('a')
    await pass(10_000)
    expect([outcomeOf(a), cluster.requests.length]).toEqual(['refused', 4])
    expect(a.error).toMatchObject({ code: 'delivery_failed', topic: letters.name, partition: 0 })
    expect(a.error?.cause).toMatchObject({ code: 'connection_failed' })
  })
})

describe('a batch that is too large for the topic', () => {
  const options = { lingerMs: 5, batchBytes: 2_000 }

  test('is split until it fits, in order, and the next ones are made smaller', async () => {
    const { cluster, log, send, pass } = await openProducer(options)
    log.maxBatchBytes = 500
    const records = Array.from({ length: 16 }, (_, i) => send(`${i} ${'x'.repeat(80)}`))
    await pass(100)
    expect(records.map(outcomeOf)).toEqual(records.map(() => 'delivered'))
    expect(log.log).toEqual(records.map(({ value }) => value))

    const before = cluster.requests.length
    const more = Array.from({ length: 16 }, (_, i) => send(`${i} ${'y'.repeat(80)}`))
    await pass(100)
    expect(more.map(outcomeOf)).toEqual(more.map(() => 'delivered'))
    const sizes = sentBatches(cluster)
      .slice(before)
      .map(({ bytes }) => bytes.length)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500)
  })

  test('uses up no sequence numbers', async () => {
    const { cluster, log, send, pass } = await openProducer(options)
    send('first')
    await pass(20)
    log.maxBatchBytes = 200
    const records = [send('a'.repeat(90)), send('b'.repeat(90))]
    await pass(20)
    expect(records.map(outcomeOf)).toEqual(['delivered', 'delivered'])
    expect(sentBatches(cluster).map(({ epoch, sequence }) => [epoch, sequence])).toEqual([
      [0, 0],
      [0, 1],
      [0, 1],
      [0, 2],
    ])
  })

  test('and holds one record: the record is refused, the others are delivered', async () => {
    const { log, send, pass } = await openProducer(options)
    log.maxBatchBytes = 500
    const records = [send('a'), send('x'.repeat(600)), send('b')]
    await pass(100)
    expect(records.map(outcomeOf)).toEqual(['delivered', 'refused', 'delivered'])
    expect((records[1]!.error!.cause as BrokerError).apiError).toBe('MESSAGE_TOO_LARGE')
    expect(log.log).toEqual(['a', 'b'])
  })

  test('and may be in the log already: it is not sent in another shape', async () => {
    const { cluster, send, pass } = await openProducer(options)
    cluster.fate = inTurn('answer_lost', { refusedWith: 'MESSAGE_TOO_LARGE' })
    const [a, b] = [send('a'), send('b')]
    await pass(1_000)
    expect([a, b].map(outcomeOf)).toEqual(['unknown', 'unknown'])
    expect(cluster.requests).toHaveLength(2)
  })
})

test('an answer that does not mention a batch is a failure, and not the end of waiting', async () => {
  const { cluster, log, send, pass } = await openProducer({ lingerMs: 0 })
  const produce = cluster.driver.produce
  cluster.driver.produce = async (broker, request) => {
    const answer = await produce(broker, request)
    return cluster.requests.length === 1 ? { ...answer, results: [] } : answer
  }
  const a = send('a')
  await pass(500)
  expect([outcomeOf(a), log.log]).toEqual(['delivered', ['a']])
})

test('with acks 0 records are delivered once they are sent, at no known offset', async () => {
  const { cluster, send, pass } = await openProducer({ lingerMs: 0, acks: 0, idempotent: false })
  const produce = cluster.driver.produce
  cluster.driver.produce = async (broker, request) => ({ ...(await produce(broker, request)), results: [] })
  const a = send('a')
  await pass(5)
  expect(a.delivery).toMatchObject({ offset: -1, partition: 0 })
})

test('a deposed leader that had written the batch leaves it in doubt', async () => {
  const { cluster, send, pass } = await openProducer({ lingerMs: 0, retries: 0 })
  const produce = cluster.driver.produce
  cluster.driver.produce = async (broker, request) => {
    const answer = await produce(broker, request)
    return { ...answer, results: answer.results.map((result) => ({ ...result, errorCode: 6 })) }
  }
  const a = send('a')
  await pass(5)
  expect(outcomeOf(a)).toBe('unknown')
})
