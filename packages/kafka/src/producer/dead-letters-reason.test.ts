import { ManualClock } from '@sluice/flow'
import { expect, test, vi } from 'vitest'
import { ConnectionError, DeliveryError } from '../errors.ts'
import type { LetterSink } from './dead-letters/letter-sink.ts'
import { Log } from '../log/log.ts'
import { DeadLetters, type DeadLettersEvent, type FailedRecords } from './dead-letters/dead-letters.ts'

test('letters that are not tried since those before could not be written say why those could not', async () => {
  const clock = new ManualClock()
  const events: DeadLettersEvent[] = []
  const reason = new ConnectionError('broker-1:9092', 'nothing listens there')
  const writer: LetterSink = {
    write: (_letter, { onFailure }) => {
      onFailure?.(reason)
      return new Promise(() => {})
    },
    close: async () => {},
  }
  const config = { timeoutMs: 1_000, spoolDir: undefined, spoolMaxBytes: 1_000, compression: 'none' } as const
  const log = new Log(undefined, clock)
  const letters = await DeadLetters.open(config, clock, writer, log, (event) => events.push(event))
  const record = { key: null, value: Buffer.from('a'), headers: [], timestampMs: 1 }
  const error = new DeliveryError('orders', 0, 'refused', 'orders/0: late')
  const records = [record] as unknown as FailedRecords['records']
  const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const buried = letters.bury({ records, attempts: 1, outcome: 'refused', error })
  await clock.advanceAsync(1_000)
  await buried
  await letters.bury({ records, attempts: 1, outcome: 'refused', error })
  expect(events.map(({ place, cause }) => [place, cause])).toEqual([
    ['nowhere', reason],
    ['nowhere', reason],
  ])
  expect(warning).toHaveBeenCalledWith(expect.stringContaining('nothing listens there'), expect.anything())
  warning.mockRestore()
  await letters.stop()
})
