import { expect, test } from 'vitest'
import { Kafka } from './kafka.ts'

test('a time to close that makes no sense is refused, and closes nothing', async () => {
  const kafka = new Kafka({ brokers: ['localhost:1'] })
  await expect(kafka.close({ timeoutMs: -1 })).rejects.toMatchObject({ field: 'timeoutMs' })
  expect(() => kafka.admin()).not.toThrow()
  await kafka.close({ timeoutMs: 0 })
  expect(() => kafka.admin()).toThrow(expect.objectContaining({ code: 'closed' }))
})
