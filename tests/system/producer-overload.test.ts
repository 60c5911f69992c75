import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka, readDeadLetter, text, topic } from '@sluice/kafka'
import type { Delivery, OutgoingRecord, Producer, ProducerOptions, Topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { freeze as freezeBroker } from './support/freeze.ts'
import { quickBrokers } from './support/quick-brokers.ts'
import { idsInTopic } from './support/sent-records.ts'

type Priority = NonNullable<OutgoingRecord<string, string>['priority']>
type Target = Topic<string | null, string | null>

interface Sent {
  readonly id: string
  readonly settled: Promise<void>
  /** `delivered`, `refused`, `unknown`, or the reason why it was shed. */
  fate: string
  delivery?: Delivery
}

let stack: Stack
let kafka: Kafka
let spoolDir: string
let frozen = false

beforeAll(async () => {
  stack = await startStack({ kafka: { properties: quickBrokers } })
  spoolDir = await mkdtemp(join(tmpdir(), 'spool-'))
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], requestTimeoutMs: 2_000 })
  vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
})

afterAll(async () => {
  vi.restoreAllMocks()
  await kafka?.close()
  await stack?.close()
  await rm(spoolDir, { recursive: true })
})

afterEach(() => {
  if (frozen) thaw()
})

async function freeze(): Promise<void> {
  frozen = true
  await freezeBroker(stack)
}

function thaw(): void {
  frozen = false
  stack.kafka.resume(1)
}

async function newTopic(name: string, configs: Record<string, string> = {}): Promise<Target> {
  await kafka.admin().createTopics([{ name, partitions: 1, configs }])
  return topic(name, { value: text })
}

/** A producer with its topic known and a record delivered, so that only what follows is under load. */
async function openWarm(target: Target, options: ProducerOptions) {
  const producer = await kafka.producer({ lingerMs: 0, ...options })
  const sent: Sent[] = []
  const send = (id: string, priority: Priority = 'medium'): Sent => {
    const promise = producer.send(target, { value: id, priority })
    const one: Sent = {
      id,
      fate: 'pending',
      settled: promise.then(
        (delivery) => void Object.assign(one, { fate: 'delivered', delivery }),
        (error: { outcome?: string; reason?: string; code: string }) =>
          void (one.fate = error.outcome ?? error.reason ?? error.code),
      ),
    }
    sent.push(one)
    return one
  }
  await send('warm').settled
  return { producer, sent, send }
}

const notAccepted = new Set(['timeout_drop', 'low_priority_drop', 'waiting_full', 'circuit_open'])

/** Each promise has told what really happened: by the log as Java reads it, and by the producer's own account. */
async function check(target: Target, producer: Producer, sent: readonly Sent[]): Promise<Record<string, number>> {
  await Promise.all(sent.map(({ settled }) => settled))
  const log = (await idsInTopic(stack.kafka.bootstrapServers, target.name)).get(0) ?? []
  const fates: Record<string, number> = {}
  for (const { id, fate, delivery } of sent) {
    fates[fate] = (fates[fate] ?? 0) + 1
    const times = log.filter((other) => other === id).length
    if (fate === 'delivered') expect([log[delivery!.offset], times], id).toEqual([id, 1])
    else if (fate === 'unknown') expect(times, id).toBeLessThanOrEqual(1)
    else expect([fate, times], id).toEqual([fate, 0])
  }
  const { records, shed, queue } = producer.inspect()
  const count = (fate: string): number => fates[fate] ?? 0
  expect(records).toEqual({
    accepted: sent.filter(({ fate }) => !notAccepted.has(fate)).length,
    delivered: count('delivered'),
    refused: count('refused') + count('old_message_dropped'),
    unknown: count('unknown'),
    pending: 0,
  })
  for (const [reason, shedRecords] of Object.entries(shed)) expect(shedRecords, reason).toBe(count(reason))
  expect([queue.records, queue.bytes, queue.waiting]).toEqual([0, 0, 0])
  return fates
}

/** Dead letters of a topic, as ids with what is said of them. */
async function deadLetters(target: Target, count: number): Promise<string[]> {
  const letters: string[] = []
  const source = topic(`${target.name}.dlq`, { value: text })
  await using reader = await vi.waitFor(() => kafka.reader({ topics: [source], follow: true }), { timeout: 20_000 })
  for await (const record of reader) {
    const letter = readDeadLetter(record.headers)
    letters.push(`${record.value} ${letter?.topic} ${letter?.stage} ${letter?.outcome}`)
    if (letters.length === count) break
  }
  return letters
}

const small = { maxRecords: 10 }
/** Fills the queue of a frozen broker: the first record is in a request by then, the others in no batch yet. */
async function fill(send: (id: string, priority?: Priority) => Sent, priority: Priority): Promise<void> {
  send('first', priority)
  await new Promise((resolve) => setTimeout(resolve, 50))
  for (let i = 1; i < small.maxRecords; i++) send(`${priority}-${i}`, priority)
}

test('1. each priority: only the full queue asks for it', async () => {
  const target = await newTopic('priorities')
  const { producer, sent, send } = await openWarm(target, { queue: small })
  for (const priority of ['low', 'medium', 'high'] as const) send(`roomy-${priority}`, priority)
  await producer.flush()
  await freeze()
  await fill(send, 'medium')
  const [low, medium, high] = [send('low', 'low'), send('medium'), send('high', 'high')]
  await Promise.all([low.settled, medium.settled])
  thaw()
  expect(await check(target, producer, sent)).toEqual({
    delivered: 4 + 10,
    low_priority_drop: 1,
    timeout_drop: 1,
    old_message_dropped: 1,
  })
  expect(high.fate).toBe('delivered')
  expect(sent.find(({ fate }) => fate === 'old_message_dropped')?.id, 'the oldest that was not sealed').toBe('medium-1')
  await producer.close()
})

test('2. full: it holds what it may and no more, and trySend takes nothing', async () => {
  const target = await newTopic('full')
  const { producer, sent, send } = await openWarm(target, { queue: small })
  await freeze()
  await fill(send, 'high')
  expect(producer.trySend(target, { value: 'x' })).toBeUndefined()
  expect(producer.trySend(target, { value: 'x', priority: 'high' }), 'nobody below it').toBeUndefined()
  expect([producer.throttled, producer.inspect().queue.records]).toEqual([true, small.maxRecords])
  thaw()
  expect(await check(target, producer, sent)).toEqual({ delivered: 11 })
  expect(producer.throttled).toBe(false)
  await producer.close()
})

test('3. waiting: the high ones first, each class in order, so many and no more', async () => {
  const target = await newTopic('waiting')
  const { producer, sent, send } = await openWarm(target, { queue: { ...small, maxWaiting: 4, maxWaitMs: 30_000 } })
  await freeze()
  await fill(send, 'high')
  for (const id of ['a', 'b']) send(id, 'medium')
  for (const id of ['c', 'd']) send(id, 'high')
  const turnedAway = send('e', 'high')
  await turnedAway.settled
  thaw()
  expect(await check(target, producer, sent)).toEqual({ delivered: 15, waiting_full: 1 })
  const log = (await idsInTopic(stack.kafka.bootstrapServers, target.name)).get(0)!
  expect(log.slice(-4)).toEqual(['c', 'd', 'a', 'b'])
  await producer.close()
})

test('4. evicting: the oldest of the lowest class first, until there is none below', async () => {
  const target = await newTopic('evicting')
  const { producer, sent, send } = await openWarm(target, { queue: small, deliveryTimeoutMs: 30_000 })
  await freeze()
  send('first', 'high')
  await new Promise((resolve) => setTimeout(resolve, 50))
  for (const id of ['m1', 'm2', 'm3', 'm4', 'm5']) send(id, 'medium')
  for (const id of ['l1', 'l2', 'l3', 'l4']) send(id, 'low')
  const evicted = (): string[] => sent.filter(({ fate }) => fate === 'old_message_dropped').map(({ id }) => id)
  for (const id of ['h1', 'h2', 'h3', 'h4', 'h5', 'h6']) send(id, 'high')
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(evicted()).toEqual(['m1', 'm2', 'l1', 'l2', 'l3', 'l4'])
  thaw()
  expect(await check(target, producer, sent)).toEqual({ delivered: 11, old_message_dropped: 6 })
  await producer.close()
})

test('5. breaker open: one refuses at once, another queues, and both go on when the broker is back', async () => {
  const [target, other] = [await newTopic('breaker-rejects'), await newTopic('breaker-queues')]
  const fast = { retryBackoffMs: 20, maxRetryBackoffMs: 50 }
  const rejecting = await openWarm(target, { ...fast, breaker: { whenOpen: 'reject', failures: 3, openMs: 500 } })
  const queueing = await openWarm(other, { ...fast, breaker: { failures: 3, openMs: 500 } })
  const opened = (producer: Producer) =>
    new Promise<void>((resolve) => producer.on('breaker', ({ to }) => to === 'open' && resolve()))
  const bothOpen = Promise.all([opened(rejecting.producer), opened(queueing.producer)])
  await stack.kafka.kill(1)
  rejecting.send('inside')
  queueing.send('q-inside')
  await bothOpen
  const refused = rejecting.send('refused')
  await refused.settled
  expect(refused.fate).toBe('circuit_open')
  const queued = queueing.send('queued')
  expect(queued.fate).toBe('pending')
  await stack.kafka.restart(1)
  await Promise.all([...rejecting.sent, ...queueing.sent].map(({ settled }) => settled))
  expect(await check(target, rejecting.producer, rejecting.sent)).toEqual({ delivered: 2, circuit_open: 1 })
  expect(await check(other, queueing.producer, queueing.sent)).toEqual({ delivered: 3 })
  for (const { producer } of [rejecting, queueing]) {
    expect(producer.inspect().breaker.state).toBe('closed')
    await producer.close()
  }
})

test('6. broker frozen past the delivery timeout: told what may be in the log and what not; the spool keeps all', async () => {
  const target = await newTopic('frozen-long')
  const deadLetterOptions = { spoolDir, timeoutMs: 500 }
  const options = { queue: small, deliveryTimeoutMs: 1_500, deadLetters: deadLetterOptions }
  const { producer, sent, send } = await openWarm(target, options)
  await freeze()
  await fill(send, 'medium')
  await Promise.all(sent.map(({ settled }) => settled))
  expect(producer.inspect().deadLetters).toMatchObject({ written: 0, spooled: 10, lost: 0 })
  thaw()
  const fates = await check(target, producer, sent)
  // Those that were sent in what the first one left of the time may be in the log as well.
  expect((fates['unknown'] ?? 0) + (fates['refused'] ?? 0)).toBe(10)
  expect(sent[1]!.fate).toBe('unknown')
  await producer.close()

  const next = await kafka.producer({ deadLetters: deadLetterOptions })
  const letters = await deadLetters(target, 10)
  const expected = sent.slice(1).map(({ id, fate }) => `${id} frozen-long delivery ${fate}`)
  expect(letters.toSorted()).toEqual(expected.toSorted())
  await vi.waitFor(() => expect(next.inspect().deadLetters).toMatchObject({ resent: 10, spoolBytes: 0 }))
  expect(await readdir(spoolDir)).toEqual([])
  await next.close()
})

test('7. dead letter topic missing: it is made, and the promise is rejected only when the dead letter is there', async () => {
  const target = await newTopic('too-large', { 'max.message.bytes': '1000' })
  const { producer, sent, send } = await openWarm(target, { compression: 'none' })
  const long = 'x'.repeat(2_000)
  const refused = send(long)
  send('beside')
  await refused.settled
  expect(producer.inspect().deadLetters).toMatchObject({ written: 1, spooled: 0, lost: 0 })
  expect(await deadLetters(target, 1)).toEqual([`${long} too-large delivery refused`])
  expect(await check(target, producer, sent)).toEqual({ delivered: 2, refused: 1 })
  await producer.close()
})

test('8. process ended: close says what it gave up, and the next start writes the dead letters of it', async () => {
  const target = await newTopic('ended')
  const { producer, sent, send } = await openWarm(target, { queue: small, deadLetters: { spoolDir } })
  await freeze()
  await fill(send, 'medium')
  const waiting = send('waiting')
  const report = await producer.close({ timeoutMs: 300 })
  expect(report).toEqual({ accepted: 11, delivered: 1, refused: 9, unknown: 1, abandoned: 10 })
  await waiting.settled
  expect(waiting.fate).toBe('closed')
  thaw()
  const accepted = sent.filter((one) => one !== waiting)
  expect(await check(target, producer, accepted)).toEqual({ delivered: 1, refused: 9, unknown: 1 })
  const next = await kafka.producer({ deadLetters: { spoolDir } })
  expect((await deadLetters(target, 10)).length).toBe(10)
  await next.close()
})
