import { expect, test } from 'vitest'
import type { BrokerError, DeliveryError } from '../../errors.ts'
import { letters, openProducer, outcomeOf } from '../testing/open-producer.ts'
import { sentBatches } from '../testing/sent-batches.ts'

const values = (count: number) => Array.from({ length: count }, (_, i) => String(i))
const isOdd = (value: string) => Number(value) % 2 === 1

test('an invalid record is rejected with its own reason, and those that share its batch are delivered in order', async () => {
  const { cluster, log, send, pass } = await openProducer({ lingerMs: 50 })
  log.refuse = (value) => (value === '50' ? 'no key' : undefined)
  const sent = values(100).map((value) => send(value))
  await pass(200)
  const failed = sent.filter((one) => outcomeOf(one) !== 'delivered')
  expect(failed.map(({ value }) => value)).toEqual(['50'])
  const error = failed[0]!.error as DeliveryError
  expect([error.outcome, error.blame, (error.cause as BrokerError).apiError]).toEqual([
    'refused',
    'record',
    'INVALID_RECORD',
  ])
  expect(error.message).toContain('no key')
  expect(log.log).toEqual(values(100).filter((value) => value !== '50'))
  expect(sent[99]!.delivery!.offset).toBe(98)
  const after = send('after')
  await pass(100)
  expect(outcomeOf(after)).toBe('delivered')
  expect(sentBatches(cluster).map(({ epoch, sequence }) => [epoch, sequence])).toEqual([
    [0, 0],
    [0, 0],
    [0, 99],
  ])
})

test('invalid records for several reasons are each told their own', async () => {
  const { log, send, pass } = await openProducer({ lingerMs: 50 })
  log.refuse = (value) => (isOdd(value) ? `${value} is odd` : undefined)
  const sent = values(10).map((value) => send(value))
  await pass(200)
  expect(log.log).toEqual(values(10).filter((value) => !isOdd(value)))
  for (const { value, error } of sent.filter(({ value }) => isOdd(value))) {
    expect(error!.message).toContain(`${value} is odd`)
  }
})

test('a batch of invalid records alone is sent once', async () => {
  const { cluster, log, send, pass } = await openProducer({ lingerMs: 50 })
  log.refuse = () => 'no'
  const sent = values(10).map((value) => send(value))
  await pass(200)
  expect(new Set(sent.map(outcomeOf))).toEqual(new Set(['refused']))
  expect(cluster.requests).toHaveLength(1)
})

test('where the broker names no record, the invalid ones are found by halving', async () => {
  const { cluster, log, send, pass } = await openProducer({ lingerMs: 50, retries: 0 })
  log.namesRecords = false
  log.refuse = (value) => (value === '50' || value === '51' ? 'no' : undefined)
  const sent = values(100).map((value) => send(value))
  await pass(500)
  const failed = sent.filter((one) => outcomeOf(one) !== 'delivered')
  expect(failed.map(({ value, error }) => [value, (error as DeliveryError).blame])).toEqual([
    ['50', 'record'],
    ['51', 'record'],
  ])
  expect(log.log).toEqual(values(100).filter((value) => !failed.some((one) => one.value === value)))
  expect(cluster.requests.length).toBeLessThan(25)
})

test('the search is bounded, and what it does not reach is rejected as of a batch with an invalid record', async () => {
  const { cluster, log, send, pass } = await openProducer({ lingerMs: 50 })
  log.namesRecords = false
  log.refuse = (value) => (isOdd(value) ? 'no' : undefined)
  const sent = values(1_000).map((value) => send(value))
  await pass(5_000)
  const blames = new Set(sent.map(({ error }) => (error as DeliveryError | undefined)?.blame))
  expect(blames).toEqual(new Set([undefined, 'record', 'batch']))
  expect(sent.map(outcomeOf)).not.toContain('pending')
  expect(cluster.requests.length).toBeLessThan(520)
  const delivered = sent.filter((one) => outcomeOf(one) === 'delivered').map(({ value }) => value)
  expect(log.log).toEqual(delivered)
})

test('a batch that may be in the log already is not taken apart', async () => {
  const { cluster, log, send, pass } = await openProducer({ lingerMs: 50 })
  const fates = ['answer_lost', { refusedWith: 'INVALID_RECORD' }] as const
  let request = 0
  cluster.fate = () => fates[request++] ?? 'answered'
  const sent = ['a', 'b'].map((value) => send(value))
  await pass(1_000)
  expect(sent.map(outcomeOf)).toEqual(['unknown', 'unknown'])
  expect(sent.map(({ error }) => (error as DeliveryError).blame)).toEqual(['batch', 'batch'])
  expect(log.log).toEqual(['a', 'b'])
})

test('a record that is sent while invalid ones are rejected does not overtake the rest of their batch', async () => {
  const { log, producer, send, pass } = await openProducer({ lingerMs: 50, queue: { maxRecords: 4 } })
  log.refuse = (value) => (value === '0' ? 'no' : undefined)
  const sent = values(4).map((value) => send(value))
  const waiting = send('waiting')
  const first = producer.send(letters, { value: 'never', partition: 0 }).catch(() => {})
  await pass(1_000)
  await first
  expect(log.log.slice(0, 4)).toEqual(['1', '2', '3', 'waiting'])
  expect(outcomeOf(waiting)).toBe('delivered')
  expect(sent).toHaveLength(4)
})
