import { ManualClock } from '@sluice/flow'
import { Emitter } from '@sluice/flow/internal'
import { describe, expect, test, vi } from 'vitest'
import { readBatchHeaders } from '../../batch/decode.ts'
import { encodeBatch } from '../../batch/encode.ts'
import { text } from '../../codecs/text.ts'
import { topic } from '../../record/topic.ts'
import { Dispatcher } from './dispatcher.ts'
import { Intake } from '../intake/intake.ts'
import { LaneRetries } from '../failure/failure-route.ts'
import { parseConsumerOptions } from '../options.ts'
import { AssignedPartition } from '../partition.ts'
import { PartitionLog } from '../intake/partition-log.ts'
import { Chunk, FetchedBatch } from '../../incoming/fetched-batch.ts'
import { Tracker } from '../commit/tracker.ts'
import { Unreadables } from '../../incoming/unreadable.ts'

const letters = topic('letters', { value: text })
const RECORDS = 1_000

/** A dispatcher with one partition that has many records, and how many of them it has handled. */
function open(handlerMs: number | ((call: number) => number)) {
  let calls = 0
  const clock = new ManualClock()
  const settings = parseConsumerOptions({ group: 'readers', topics: [letters], maxPollRecords: RECORDS })
  const intake = new Intake({ ...settings, onRoom: () => undefined })
  const partition = new AssignedPartition(letters, 'id', 0, 1)
  const unreadables = new Unreadables({ policy: 'stop', limits: settings.limits, emit: () => {} })
  const log = new PartitionLog(partition, intake, new Tracker(0), unreadables)
  const record = { key: null, value: Buffer.from('a'), headers: undefined, timestampMs: 0 }
  const buffer = encodeBatch(
    Array.from({ length: RECORDS }, () => record),
    'none',
    null,
  )
  for (const header of readBatchHeaders(buffer)) {
    log.push(new FetchedBatch(new Chunk(buffer, 1), header))
  }
  Object.assign(partition, { log, phase: 'active' })
  const dispatcher = new Dispatcher({
    settings,
    clock,
    events: new Emitter(),
    handler: () => clock.advance(typeof handlerMs === 'number' ? handlerMs : handlerMs(calls++)),
    batch: false,
    route: new LaneRetries(settings),
    pollRecords: () => RECORDS,
    mayDispatch: () => true,
    onFatal: () => undefined,
  })
  const looks = vi.spyOn(clock, 'monotonicMs')
  dispatcher.offer(partition)
  return { clock, dispatcher, looks, handled: (): number => dispatcher.inspect().handledRecords }
}

const loopTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('handlers that return no promise', () => {
  test('leave the event loop to others as soon as they have held it for a while', async () => {
    const { dispatcher, handled } = open(5)
    for (let turns = 1; turns <= 10; turns++) {
      await loopTurn()
      expect(handled()).toBe(turns)
    }
    dispatcher.close()
  })

  test('hold it for not much longer, however short each is', async () => {
    const { dispatcher, handled } = open(0.25)
    await loopTurn()
    expect(handled()).toBeGreaterThanOrEqual(16)
    expect(handled()).toBeLessThanOrEqual(32)
    dispatcher.close()
  })

  test('do not cost a look at the clock each', async () => {
    const { dispatcher, handled, looks } = open(0)
    await loopTurn()
    expect(handled()).toBe(RECORDS)
    expect(looks.mock.calls.length).toBeLessThan(RECORDS / 3)
    dispatcher.close()
  })

  test('hold it for a few calls at most where they become slow after quick ones', async () => {
    const { clock, dispatcher, handled } = open((call) => (call < RECORDS / 2 ? 0.001 : 100))
    await loopTurn()
    expect(handled()).toBeGreaterThan(RECORDS / 2)
    expect(clock.monotonicMs()).toBeLessThanOrEqual(401)
    dispatcher.close()
  })
})
