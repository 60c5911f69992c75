import { expect, test } from 'vitest'
import { Kafka } from './kafka.ts'
import { text } from './codecs/text.ts'
import { topic } from './record/topic.ts'

test('a time to close that makes no sense is refused, and closes nothing', async () => {
  const kafka = new Kafka({ brokers: ['localhost:1'] })
  await expect(kafka.close({ timeoutMs: -1 })).rejects.toMatchObject({ field: 'timeoutMs' })
  expect(() => kafka.admin()).not.toThrow()
  await kafka.close({ timeoutMs: 0 })
  expect(() => kafka.admin()).toThrow(expect.objectContaining({ code: 'closed' }))
})

test('a fetch that may wait about as long as any request may take is refused by name', async () => {
  await using kafka = new Kafka({ brokers: ['localhost:1'], requestTimeoutMs: 1_000 })
  const options = { group: 'g', topics: [topic('t', { value: text })] }
  await expect(kafka.consumer({ ...options, fetchMaxWaitMs: 501 })).rejects.toMatchObject({
    code: 'config_invalid',
    field: 'fetchMaxWaitMs',
    message: 'fetchMaxWaitMs is 501, but must be at most half of requestTimeoutMs, which is 500',
  })
  // It was not looked for a broker before; what may be is.
  await expect(kafka.consumer({ ...options, fetchMaxWaitMs: 500 })).rejects.toMatchObject({ code: 'connection_failed' })
})

test('closing reports that nothing was cut short where nothing was open', async () => {
  const kafka = new Kafka({ brokers: ['localhost:1'] })
  const nothing = { abandonedHandlers: 0, uncommitted: [], abandonedTransactions: 0, abandonedRecords: 0 }
  expect(await kafka.close()).toEqual(nothing)
})
