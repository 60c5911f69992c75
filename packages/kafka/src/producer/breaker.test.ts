import { expect, test } from 'vitest'
import type { ProducerBreakerOptions } from './options.ts'
import { letters, openProducer, outcomeOf } from './testing/open-producer.ts'
import { requestTimeoutMs } from './testing/simulated-cluster.ts'

/** Opens after two failed requests, for a second. */
async function openBroken(breaker: ProducerBreakerOptions = {}) {
  const settings = { failures: 2, openMs: 1_000, ...breaker }
  const opened = await openProducer({ lingerMs: 0, retryBackoffMs: 10, maxRetryBackoffMs: 10, breaker: settings })
  const transitions: string[] = []
  opened.producer.on('breaker', ({ to }) => transitions.push(to))
  opened.cluster.fate = () => 'unreachable'
  const first = opened.send('first')
  await opened.pass(100)
  return { ...opened, transitions, first }
}

test('sends no request while it is open, then one on trial, and all when that was answered', async () => {
  const { cluster, producer, send, pass, transitions, first } = await openBroken()
  expect([cluster.requests.length, transitions]).toEqual([2, ['open']])
  await pass(800)
  expect(cluster.requests.length, 'while it is open').toBe(2)
  await pass(200)
  expect([cluster.requests.length, transitions], 'one trial, which failed').toEqual([3, ['open', 'half-open', 'open']])
  cluster.fate = () => 'answered'
  const second = send('second')
  expect(producer.inspect().breaker.state).toBe('open')
  await pass(1_100)
  expect([first, second].map(outcomeOf)).toEqual(['delivered', 'delivered'])
  expect(transitions).toEqual(['open', 'half-open', 'open', 'half-open', 'closed'])
})

test('queue: takes records while it is open, and the policy of the queue rules once that is full', async () => {
  const { clock, producer, send, pass } = await openBroken({ openMs: 60_000 })
  const records = Array.from({ length: 999 }, (_, i) => send(String(i)))
  const low = send('low', 0, 'low')
  const high = send('high', 0, 'high')
  await pass(1)
  expect(records.every((record) => outcomeOf(record) === 'pending' || record === records[0])).toBe(true)
  expect([outcomeOf(records[0]!), outcomeOf(low), outcomeOf(high)]).toEqual([
    'old_message_dropped',
    'low_priority_drop',
    'pending',
  ])
  void producer.close({ timeoutMs: 0 })
  await pass(requestTimeoutMs)
  expect(clock.pending, 'timers left').toBe(0)
})

test('reject: refuses at once whoever sends, and whoever waits for room; what is in the queue stays', async () => {
  const settings = { failures: 2, openMs: 1_000, whenOpen: 'reject' as const }
  const { cluster, producer, send, pass } = await openProducer({
    queue: { maxRecords: 1 },
    retryBackoffMs: 10,
    breaker: settings,
  })
  cluster.fate = () => 'unreachable'
  const inside = send('inside')
  const waiting = send('waiting')
  await pass(200)
  expect(outcomeOf(waiting)).toBe('CircuitOpenError')
  await expect(producer.send(letters, { value: 'x' })).rejects.toMatchObject({ code: 'circuit_open', retriable: true })
  await expect(producer.trySend(letters, { value: 'x' })).rejects.toMatchObject({ code: 'circuit_open' })
  cluster.fate = () => 'answered'
  await pass(2_000)
  expect(outcomeOf(inside)).toBe('delivered')
  const after = send('after')
  await pass(50)
  expect(outcomeOf(after)).toBe('delivered')
  expect(producer.inspect().records).toMatchObject({ accepted: 2, delivered: 2 })
})

test('stays closed while one broker of two is away', async () => {
  const { cluster, producer, pass, send } = await openProducer(
    { lingerMs: 0, retryBackoffMs: 10, maxRetryBackoffMs: 10, breaker: { failures: 5 } },
    { partitions: 2 },
  )
  cluster.lead(letters.name, 1, 2)
  cluster.learn([letters.name])
  cluster.fate = (_, broker) => (broker.id === 2 ? 'unreachable' : 'answered')
  send('stuck', 1)
  for (let i = 0; i < 50; i++) {
    send(String(i), 0)
    await pass(10)
  }
  expect(producer.inspect().breaker.state).toBe('closed')
  void producer.close({ timeoutMs: 0 })
  await pass(requestTimeoutMs)
})
