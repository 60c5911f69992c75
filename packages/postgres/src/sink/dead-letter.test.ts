import { RecordHeaders, type ConsumerRecord } from '@sluice/kafka'
import { expect, it } from 'vitest'
import { deadLetterRow } from './dead-letter.ts'

it('has no time of its own where the record has none: it is that of when it is sent', () => {
  const record = { topic: 't', partition: 0, offset: 1, timestampMs: -1, rawKey: null, rawValue: null }
  const facts = { group: 'g', attempts: 1, error: new Error('no'), failedAtMs: 5 }
  const whole = { ...record, headers: new RecordHeaders([]) } as unknown as ConsumerRecord
  expect(deadLetterRow(whole, facts).timestampMs).toBeUndefined()
})
