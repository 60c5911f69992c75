import { ClosedError, ManualClock } from '@sluice/flow'
import { describe, expect, test } from 'vitest'
import { text } from '../codecs/text.ts'
import { topic } from '../record/topic.ts'
import { settle } from './testing/settle.ts'
import { SimulatedTransactions } from './testing/simulated-transactions.ts'
import { TransactionalProducer, type TransactionScope } from './transactional-producer.ts'

const letters = topic('letters', { value: text })

async function open() {
  const clock = new ManualClock()
  const broker = new SimulatedTransactions(clock, 2)
  const producer = await TransactionalProducer.open(broker.cluster, { transactionalId: 'id' }, clock)
  return { clock, broker, producer }
}

test('what is sent when the work has ended is refused, not dropped', async () => {
  const { clock, broker, producer } = await open()
  let ended: TransactionScope | undefined
  const work = (transaction: TransactionScope): void => {
    transaction.send(letters, { value: 'in time' })
    ended = transaction
  }
  await settle(clock, producer.run(work))
  expect(() => ended!.send(letters, { value: 'late' })).toThrow(ClosedError)
  expect(() => ended!.sendOffsets({ group: 'g', offsets: [] })).toThrow(ClosedError)
  expect(broker.committed).toEqual(['in time'])
  await producer.close()
})

test('a partition beyond those that are known is asked for once before it is refused', async () => {
  const { clock, broker, producer } = await open()
  const send = (partition: number) =>
    settle(
      clock,
      producer.run((transaction) => transaction.send(letters, { value: String(partition), partition })),
    )
  await send(0)
  broker.partitions = 8
  clock.advance(1_000)
  await send(7)
  await expect(send(8)).rejects.toMatchObject({ code: 'config_invalid', field: 'partition' })
  expect(broker.committed).toEqual(['0', '7'])
  await producer.close()
})

test('a topic that was created again with fewer partitions refuses records that name one of the others', async () => {
  const { clock, broker, producer } = await open()
  const send = (partition: number) =>
    settle(
      clock,
      producer.run((transaction) => transaction.send(letters, { value: String(partition), partition })),
    )
  await send(1)
  broker.partitions = 1
  broker.generation++
  const beganMs = clock.monotonicMs()
  await expect(send(1)).rejects.toMatchObject({
    code: 'transaction_failed',
    outcome: 'aborted',
    retriable: false,
    message: expect.stringContaining('partition is 1, but must be a partition of letters, which has 1 (0 to 0)'),
  })
  expect(clock.monotonicMs() - beganMs).toBeLessThan(2_000)
  await send(0)
  await producer.close()
})

describe('closing', () => {
  test.each(['unanswered', 'request_lost'] as const)(
    'gives up in its time a transaction whose end is %s, says that it may be committed, and asks for nothing more',
    async (fate) => {
      const { clock, broker, producer } = await open()
      broker.fate = (name) => (name === 'end' ? fate : undefined)
      const run = producer.run((transaction) => transaction.send(letters, { value: 'a' }))
      run.catch(() => {})
      while (!broker.requests.includes('end')) await new Promise((resolve) => setImmediate(resolve))
      const startMs = clock.monotonicMs()
      await settle(clock, producer.close({ timeoutMs: 1_000 }))
      expect(clock.monotonicMs() - startMs).toBeLessThanOrEqual(1_250)
      const asked = broker.requests.length
      await expect(run).rejects.toMatchObject({ outcome: 'unknown', retriable: false, cause: { code: 'closed' } })
      // A late identity would fence whoever has taken over.
      await clock.advanceAsync(120_000)
      expect(broker.requests).toHaveLength(asked)
    },
  )

  test('gives up one that is being written, and nothing of it is seen', async () => {
    const { clock, broker, producer } = await open()
    broker.fate = (name) => (name === 'produce' ? 'unanswered' : undefined)
    const run = producer.run((transaction) => transaction.send(letters, { value: 'a' }))
    run.catch(() => {})
    while (!broker.requests.includes('produce')) await new Promise((resolve) => setImmediate(resolve))
    await settle(clock, producer.close({ timeoutMs: 1_000 }))
    await expect(run).rejects.toMatchObject({ outcome: 'aborted', cause: { code: 'closed' } })
    expect(broker.requests).not.toContain('end')
  })

  test('waits no longer for work than it may, and sends nothing of what it gathers later', async () => {
    const { clock, broker, producer } = await open()
    const { promise: gate, resolve } = Promise.withResolvers<void>()
    let late: unknown
    const run = producer.run(async (transaction) => {
      await gate
      try {
        transaction.send(letters, { value: 'a' })
      } catch (error) {
        late = error
        throw error
      }
    })
    run.catch(() => {})
    await settle(clock, producer.close({ timeoutMs: 0 }))
    await expect(run).rejects.toThrow(ClosedError)
    expect(producer.inspect()).toMatchObject({ state: 'closed', isRunning: false })
    resolve()
    await settle(clock, gate)
    expect(late).toBeInstanceOf(ClosedError)
    expect(broker.requests).toEqual(['init'])
  })
})
