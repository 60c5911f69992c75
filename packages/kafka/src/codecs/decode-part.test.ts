import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { DecodedRecord } from '../batch/decoded.ts'
import { DecodeError } from '../errors.ts'
import { decodeRecord } from '../reader/decode-record.ts'
import { topic } from '../record/topic.ts'
import type { Codec } from './codec.ts'

test('a promise that a codec answers with is an error of its record, and never an unhandled rejection', async () => {
  const unhandled: unknown[] = []
  const listener = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', listener)
  const late = { name: 'late', encode: () => null, decode: () => Promise.reject(new Error('late')) } as Codec<unknown>
  const decoded: DecodedRecord = { offset: 5, timestampMs: 1, key: null, value: null, headers: undefined }
  try {
    expect(() => decodeRecord(topic('letters', { value: late }), 0, decoded)).toThrow(DecodeError)
    await setImmediate()
    expect(unhandled).toEqual([])
  } finally {
    process.off('unhandledRejection', listener)
  }
})
