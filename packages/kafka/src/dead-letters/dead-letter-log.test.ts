import { ManualClock } from '@sluice/flow'
import { expect, test } from 'vitest'
import { encodeBatch } from '../batch/encode.ts'
import { Cluster } from '../cluster/cluster.ts'
import { SimulatedBroker } from '../consumer/testing/simulated-broker.ts'
import { deadLetterHeaders } from '../failure/dead-letter-headers.ts'
import { DeadLetterLog } from './dead-letter-log.ts'

const facts = {
  topic: 'orders',
  partition: 0,
  offset: 7,
  timestampMs: 0,
  group: 'g',
  attempts: 3,
  stage: 'handler',
  errorClass: 'Error',
  errorMessage: 'no',
  failedAtMs: 1,
  outcome: null,
  replays: 0,
}

test('a letter is listed that has as many headers as a record may have, and those that tell of the failure', async () => {
  const clock = new ManualClock()
  const broker = new SimulatedBroker(clock)
  broker.createTopic('orders.dlq', 1)
  // The most that is read of a record: 10,000 headers of 16 MiB. Each of them gets another name in the letter.
  const own = Array.from({ length: 10_000 }, () => ['attempts', Buffer.alloc(1_664)] as const)
  const headers = deadLetterHeaders(own, facts).map(
    ([name, value]) => [Buffer.from(name), value === null ? null : Buffer.from(value as string)] as const,
  )
  const letter = { key: null, value: null, headers, timestampMs: 0 }
  broker.writeBytes('orders.dlq', 0, 1, encodeBatch([letter], 'zstd', null))
  const cluster = new Cluster({ driver: broker.driver, clock, coordinatorTimeoutMs: 1_000, metadataMaxAgeMs: 1e9 })
  const found: string[] = []
  for await (const { letter } of new DeadLetterLog(cluster, clock, 'orders').list()) found.push(letter!.errorMessage)
  expect(found).toEqual(['no'])
})
