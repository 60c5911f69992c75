import { ClosedError, ManualClock } from '@sluice/flow'
import { expect, test } from 'vitest'
import { text } from '../codecs/text.ts'
import { topic } from '../topic.ts'
import { settle } from './testing/settle.ts'
import { SimulatedTransactions } from './testing/simulated-transactions.ts'
import { TransactionalProducer, type TransactionScope } from './transactional-producer.ts'

const letters = topic('letters', { value: text })

test('what is sent when the work has ended is refused, not dropped', async () => {
  const clock = new ManualClock()
  const broker = new SimulatedTransactions(clock, 2)
  const producer = await TransactionalProducer.open(broker.cluster, { transactionalId: 'id' }, clock)
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
