import { describe, expect, test } from 'vitest'
import { PostponedError } from './errors.ts'
import { letters, openSession } from './testing/open-session.ts'
import { TimeLimit } from '../time-limit.ts'

/** A handler that ends when the test says so. */
function held() {
  const calls: { at: string; signal: AbortSignal; attempt: number; end: () => void; fail: (error: Error) => void }[] =
    []
  const handler = (
    record: { partition: number; offset: number },
    context: { signal: AbortSignal; attempt: number },
  ) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const { signal, attempt } = context
    calls.push({ at: `${record.partition}/${record.offset}`, signal, attempt, end: resolve, fail: reject })
    return promise
  }
  return { calls, handler, at: () => calls.map(({ at }) => at) }
}

const places = (partitions: readonly number[], offset: number) =>
  partitions.map((partition) => ({ topic: letters.name, partition, offset }))

describe('records', () => {
  test('are handled in the order of their partition and committed when they are finished', async () => {
    const values: string[] = []
    const { broker, session, pass, close } = await openSession(({ value }) => values.push(value))
    broker.write('letters', 0, ['a', 'b'])
    broker.write('letters', 0, ['c'], 'lz4')
    broker.assign('letters', [0, 1])
    await session.start()
    await pass(50)
    expect(values).toEqual(['a', 'b', 'c'])
    await pass(1_000)
    expect(broker.committedOf('letters', 0)).toBe(3)
    expect(await close()).toEqual({ abandonedHandlers: 0, uncommitted: [] })
    expect(broker.heartbeats.at(-1)?.memberEpoch).toBe(-1)
  })

  test('that were committed before are not handled again', async () => {
    const values: string[] = []
    const { broker, session, pass, close, heard } = await openSession(({ value }) => values.push(value))
    broker.write('letters', 0, ['a', 'b', 'c'])
    broker.committed.set('letters/0', 2)
    broker.assign('letters', [0])
    await session.start()
    await pass(50)
    expect(values).toEqual(['c'])
    expect(heard('assigned')).toEqual([{ partitions: places([0], 2) }])
    await close()
  })

  test('of one partition are handled one at a time, those of others beside them', async () => {
    const { handler, at, calls } = held()
    const { broker, session, pass, close } = await openSession(handler)
    broker.write('letters', 0, ['a', 'b'])
    broker.write('letters', 1, ['c'])
    broker.assign('letters', [0, 1])
    await session.start()
    await pass(50)
    expect(at().toSorted()).toEqual(['0/0', '1/0'])
    calls.find((call) => call.at === '0/0')!.end()
    await pass(10)
    expect(at()).toContain('0/1')
    for (const { end } of calls) end()
    await close()
  })

  test('take at most as many slots as there are', async () => {
    const { handler, calls } = held()
    const { broker, session, pass, close } = await openSession(handler, { concurrency: 2, partitions: 5 })
    for (let partition = 0; partition < 5; partition++) broker.write('letters', partition, ['a', 'b'])
    broker.assign('letters', [0, 1, 2, 3, 4])
    await session.start()
    await pass(50)
    expect(calls).toHaveLength(2)
    calls[0]!.end()
    await pass(10)
    expect(calls).toHaveLength(3)
    for (const { end } of calls) end()
    await close()
  })

  test('come in lists of one partition to a handler of batches', async () => {
    const lists: string[][] = []
    const { broker, session, pass, close } = await openSession(
      (records) => lists.push((records as unknown as { value: string }[]).map(({ value }) => value)),
      { batch: true, maxPollRecords: 3 },
    )
    broker.write('letters', 0, ['a', 'b'])
    broker.write('letters', 0, ['c', 'd'])
    broker.assign('letters', [0])
    await session.start()
    await pass(1_100)
    expect(lists).toEqual([['a', 'b', 'c'], ['d']])
    expect(broker.committedOf('letters', 0)).toBe(4)
    await close()
  })
})

describe('a position', () => {
  test('found by reset is committed at once', async () => {
    const { broker, session, pass, close, heard } = await openSession(() => undefined)
    broker.assign('letters', [0])
    await session.start()
    await pass(50)
    expect(broker.committedOf('letters', 0)).toBe(0)
    expect(heard('reset')).toEqual([{ ...places([0], 0)[0], from: null, reason: 'no_committed_offset' }])
    await close()
  })

  test('that retention has passed goes on at the first record there is', async () => {
    const values: string[] = []
    const { broker, session, pass, close, heard } = await openSession(({ value }) => values.push(value))
    broker.write('letters', 0, ['a', 'b'])
    broker.write('letters', 0, ['c'])
    broker.committed.set('letters/0', 1)
    broker.truncateStart('letters', 0, 2)
    broker.assign('letters', [0])
    await session.start()
    await pass(1_200)
    expect(values).toEqual(['c'])
    expect(heard('reset')).toMatchObject([{ from: 1, offset: 2, reason: 'offset_out_of_range' }])
    expect(broker.committedOf('letters', 0)).toBe(3)
    await close()
  })

  test('beyond the end of the log goes back to where the policy says', async () => {
    const values: string[] = []
    const { broker, session, pass, close } = await openSession(({ value }) => values.push(value))
    broker.write('letters', 0, ['a'])
    broker.committed.set('letters/0', 9)
    broker.assign('letters', [0])
    await session.start()
    await pass(1_200)
    expect(values).toEqual(['a'])
    expect(broker.committedOf('letters', 0)).toBe(1)
    await close()
  })

  test('of a partition that was added later is its first record, though the policy is latest', async () => {
    const values: string[] = []
    const { broker, session, pass, close } = await openSession(({ value }) => values.push(value), { reset: 'latest' })
    broker.write('letters', 0, ['old'])
    broker.committed.set('letters/0', 1)
    broker.write('letters', 1, ['new'])
    broker.assign('letters', [0, 1])
    await session.start()
    // The fetch under way, which does not name it yet, is held for fetchMaxWaitMs.
    await pass(300)
    expect(values).toEqual(['new'])
    await close()
  })
})

describe('a revocation', () => {
  test('waits for the running handler, commits what it finished, and only then is acknowledged', async () => {
    const { handler, calls, at } = held()
    const { broker, session, pass, close, heard } = await openSession(handler)
    broker.write('letters', 0, ['a', 'b'])
    broker.assign('letters', [0, 1])
    await session.start()
    await pass(50)
    broker.assign('letters', [1])
    await pass(2_000)
    const owned = () => broker.heartbeats.findLast(({ owned }) => owned !== null)?.owned?.[0]?.partitions
    expect(owned()).toEqual([0, 1])
    calls[0]!.end()
    await pass(200)
    expect(broker.committedOf('letters', 0)).toBe(1)
    expect(owned()).toEqual([1])
    expect(at()).toEqual(['0/0'])
    expect(heard('revoked')).toEqual([{ partitions: places([0], 1), abandonedHandlers: 0 }])
    await close()
  })

  test('aborts a handler that takes half the rebalance timeout, and gives it up', async () => {
    const { handler, calls } = held()
    const { broker, session, pass, close, heard } = await openSession(handler, {
      rebalanceTimeoutMs: 4_000,
      handlerTimeoutMs: Infinity,
    })
    broker.write('letters', 0, ['a'])
    broker.assign('letters', [0])
    await session.start()
    await pass(50)
    broker.assign('letters', [])
    await pass(2_000)
    expect(calls[0]!.signal.aborted).toBe(false)
    await pass(3_000)
    expect(calls[0]!.signal.reason).toMatchObject({ code: 'partition_revoked' })
    expect(heard('revoked')).toEqual([{ partitions: places([0], 0), abandonedHandlers: 1 }])
    // What it still does is not committed.
    calls[0]!.end()
    await pass(2_000)
    expect(broker.committedOf('letters', 0)).toBe(0)
    await close()
  })

  test('is not acknowledged while a commit of the partition is not done', async () => {
    const { broker, session, pass, close } = await openSession(() => undefined)
    broker.write('letters', 0, ['a'])
    broker.assign('letters', [0])
    await session.start()
    await pass(50)
    broker.commitFate = () => 'COORDINATOR_LOAD_IN_PROGRESS'
    broker.assign('letters', [])
    await pass(2_000)
    expect(broker.heartbeats.findLast(({ owned }) => owned !== null)?.owned).not.toEqual([])
    broker.commitFate = () => undefined
    await pass(2_000)
    expect(broker.committedOf('letters', 0)).toBe(1)
    expect(broker.heartbeats.findLast(({ owned }) => owned !== null)?.owned).toEqual([])
    await close()
  })
})

describe('the group', () => {
  test.each(['FENCED_MEMBER_EPOCH', 'UNKNOWN_MEMBER_ID'])('that answers %s is joined again at once', async (error) => {
    const { handler, calls, at } = held()
    const { broker, session, pass, close, heard, failures } = await openSession(handler)
    broker.write('letters', 0, ['a'])
    broker.assign('letters', [0])
    await session.start()
    await pass(50)
    broker.heartbeatFate = () => {
      broker.heartbeatFate = () => undefined
      return error
    }
    await pass(700)
    expect(heard('lost')).toMatchObject([{ partitions: places([0], 0) }])
    expect(calls[0]!.signal.aborted).toBe(true)
    expect(at()).toEqual(['0/0', '0/0'])
    // The handler of the incarnation that was lost ends late: nothing of it is committed.
    calls[0]!.end()
    await pass(1_500)
    expect(broker.committedOf('letters', 0)).toBe(0)
    calls[1]!.end()
    await pass(1_500)
    expect(broker.committedOf('letters', 0)).toBe(1)
    expect(failures).toEqual([])
    await close()
  })

  test('that is silent for a session timeout stops what would begin, until it answers', async () => {
    const { handler, calls, at } = held()
    const { broker, session, pass, close, heard } = await openSession(handler, {
      sessionTimeoutMs: 6_000,
      handlerTimeoutMs: Infinity,
    })
    broker.write('letters', 0, ['a', 'b'])
    broker.assign('letters', [0])
    await session.start()
    await pass(50)
    broker.heartbeatFate = () => 'COORDINATOR_NOT_AVAILABLE'
    await pass(9_000)
    expect(heard('suspended')).toHaveLength(1)
    calls[0]!.end()
    await pass(100)
    expect(at()).toEqual(['0/0'])
    broker.heartbeatFate = () => undefined
    await pass(3_000)
    expect(heard('resumed')).toHaveLength(1)
    expect(at()).toEqual(['0/0', '0/1'])
    calls[1]!.end()
    await close()
  })

  test('that does not want this consumer stops it', async () => {
    const { broker, session, pass, failures } = await openSession(() => undefined)
    broker.heartbeatFate = () => 'GROUP_AUTHORIZATION_FAILED'
    await session.start()
    await pass(100)
    expect(failures).toMatchObject([{ code: 'membership_refused', group: 'readers' }])
  })

  test('hears of a member often while partitions move, and seldom otherwise', async () => {
    const { broker, session, pass, close } = await openSession(() => undefined)
    broker.assign('letters', [0])
    await session.start()
    await pass(1_000)
    expect(broker.heartbeats.length).toBeGreaterThanOrEqual(10)
    await pass(5_000)
    const before = broker.heartbeats.length
    await pass(5_000)
    expect(broker.heartbeats.length - before).toBe(10)
    await close()
  })
})

test('a commit with a stale member epoch is sent again after a heartbeat', async () => {
  const { broker, session, pass, close } = await openSession(() => undefined)
  broker.write('letters', 0, ['a'])
  broker.assign('letters', [0])
  await session.start()
  await pass(50)
  const before = broker.heartbeats.length
  broker.commitFate = ({ memberEpoch }) => (memberEpoch < broker.epoch ? 'STALE_MEMBER_EPOCH' : undefined)
  broker.epoch++
  await pass(1_100)
  expect(broker.heartbeats.length).toBeGreaterThan(before)
  expect(broker.committedOf('letters', 0)).toBe(1)
  await close()
})

describe('a handler that fails', () => {
  test('is called again after a growing wait, in front of all that follow', async () => {
    const { handler, calls, at } = held()
    const { broker, session, pass, close, heard } = await openSession(handler, { retry: { initialMs: 1_000 } })
    broker.write('letters', 0, ['a', 'b'])
    broker.assign('letters', [0])
    await session.start()
    await pass(50)
    calls[0]!.fail(new Error('first'))
    await pass(900)
    expect(at()).toEqual(['0/0'])
    await pass(200)
    calls[1]!.fail(new Error('second'))
    await pass(1_900)
    expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2])
    await pass(200)
    calls[2]!.end()
    await pass(10)
    expect(calls.map(({ attempt, at }) => `${at} ${attempt}`)).toEqual(['0/0 1', '0/0 2', '0/0 3', '0/1 1'])
    expect(heard('handlerFailed')).toMatchObject([
      { attempt: 1, retryInMs: 1_000 },
      { attempt: 2, retryInMs: 2_000 },
    ])
    calls[3]!.end()
    await close()
  })

  test.each(['partition', 'key'] as const)('and puts its record off uses up no attempt, order by %s', async (order) => {
    const { handler, calls } = held()
    const retry = { initialMs: 0, attempts: 2 }
    const { broker, session, pass, close, heard, failures } = await openSession(handler, { retry, order })
    broker.write('letters', 0, ['a', 'b'])
    broker.assign('letters', [0])
    await session.start()
    await pass(50)
    const last = () => calls.findLast(({ at }) => at === '0/0')!
    const put = async (ms: number): Promise<void> => {
      last().fail(new PostponedError(new Error('away')))
      await pass(ms)
    }
    for (let n = 0; n < 5; n++) await put(100 * 2 ** n + 10)
    last().fail(new Error('first'))
    await pass(10)
    for (let n = 0; n < 2; n++) await put(100 * 2 ** n + 10)
    last().end()
    await pass(10)
    const attempts = calls.filter(({ at }) => at === '0/0').map(({ attempt }) => attempt)
    expect(attempts).toEqual([1, 1, 1, 1, 1, 1, 2, 2, 2])
    const waits = heard('handlerFailed').map((event) => (event as { retryInMs: number }).retryInMs)
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 0, 100, 200])
    expect(failures).toEqual([])
    for (const { end } of calls.filter(({ at }) => at === '0/1')) end()
    await close()
  })

  test('for the last time stops the consumer and leaves the offset uncommitted', async () => {
    const { broker, session, pass, close, failures } = await openSession(
      ({ offset }) => {
        if (offset === 1) throw new Error('no')
      },
      { retry: { initialMs: 10 } },
    )
    broker.write('letters', 0, ['a', 'b', 'c'])
    broker.assign('letters', [0])
    await session.start()
    await pass(200)
    expect(failures).toMatchObject([
      { code: 'handler_failed', topic: 'letters', partition: 0, offset: 1, attempts: 3, cause: { message: 'no' } },
    ])
    await close()
    expect(broker.committedOf('letters', 0)).toBe(1)
  })

  test('gives its slot to others while it waits', async () => {
    const { handler, calls, at } = held()
    const { broker, session, pass, close } = await openSession(handler, { concurrency: 1, retry: { initialMs: 1_000 } })
    broker.write('letters', 0, ['a'])
    broker.write('letters', 1, ['b'])
    broker.assign('letters', [0, 1])
    await session.start()
    await pass(50)
    calls[0]!.fail(new Error('later'))
    await pass(10)
    expect(at()).toHaveLength(2)
    calls[1]!.end()
    await pass(1_100)
    expect(at()[2]).toBe(at()[0])
    calls[2]!.end()
    await close()
  })
})

describe('a handler that does not settle', () => {
  test('is aborted at its timeout and keeps its partition until it settles', async () => {
    const { handler, calls, at } = held()
    const { broker, session, pass, close, heard } = await openSession(handler, { handlerTimeoutMs: 1_000 })
    broker.write('letters', 0, ['a', 'b'])
    broker.assign('letters', [0])
    await session.start()
    await pass(900)
    expect(calls[0]!.signal.aborted).toBe(false)
    await pass(2_000)
    expect(calls[0]!.signal.reason).toMatchObject({ code: 'handler_timed_out', offset: 0, timeoutMs: 1_000 })
    expect(heard('handlerTimedOut')).toHaveLength(1)
    expect(at()).toEqual(['0/0'])
    calls[0]!.end()
    await pass(10)
    expect(at()).toEqual(['0/0', '0/1'])
    calls[1]!.end()
    await close()
  })

  test('is abandoned at last and tried again; too many of them stop the consumer', async () => {
    const { handler, calls } = held()
    const { broker, session, pass, close, heard, failures } = await openSession(handler, {
      handlerTimeoutMs: 1_000,
      abandonAfterMs: 1_000,
      concurrency: 1,
    })
    broker.write('letters', 0, ['a'])
    broker.assign('letters', [0])
    await session.start()
    await pass(2_500)
    expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(heard('handlerAbandoned')).toHaveLength(1)
    await pass(2_500)
    expect(failures).toMatchObject([{ code: 'handlers_abandoned', abandoned: 2 }])
    await close()
    expect(broker.committedOf('letters', 0)).toBe(0)
  })

  test('does not keep heartbeats from going on', async () => {
    const { handler, calls } = held()
    const { broker, session, pass, close, heard } = await openSession(handler, { handlerTimeoutMs: Infinity })
    broker.write('letters', 0, ['a'])
    broker.assign('letters', [0])
    await session.start()
    await pass(60_000)
    expect(heard('suspended')).toEqual([])
    expect(broker.heartbeats.length).toBeGreaterThan(100)
    calls[0]!.end()
    await close()
  })
})

describe('pausing a partition', () => {
  test('stops its records and not those of others, until it is resumed', async () => {
    const values: string[] = []
    const { broker, session, pass, close } = await openSession(({ value }) => values.push(value))
    broker.assign('letters', [0, 1])
    await session.start()
    await pass(50)
    session.setPaused([...session.partitions][0]!, true)
    broker.write('letters', 0, ['a'])
    broker.write('letters', 1, ['b'])
    await pass(1_000)
    expect(values).toEqual(['b'])
    session.setPaused([...session.partitions][0]!, false)
    await pass(500)
    expect(values).toEqual(['b', 'a'])
    await close()
  })
})

describe('closing', () => {
  test('lets the running handler finish, commits it and drops what has not started', async () => {
    const { handler, calls, at } = held()
    const { broker, session, pass, timersLeft } = await openSession(handler)
    broker.write('letters', 0, ['a', 'b'])
    broker.assign('letters', [0])
    await session.start()
    await pass(50)
    const closing = session.close(new TimeLimit(broker.clock, 10_000))
    await pass(1_000)
    calls[0]!.end()
    await pass(500)
    expect(await closing).toEqual({ abandonedHandlers: 0, uncommitted: [] })
    expect(at()).toEqual(['0/0'])
    expect(broker.committedOf('letters', 0)).toBe(1)
    expect(timersLeft()).toBe(0)
  })

  test('says which handlers and which commits it gave up', async () => {
    const { handler } = held()
    const { broker, session, pass, close } = await openSession(handler)
    broker.write('letters', 0, ['a'])
    broker.assign('letters', [0])
    broker.commitFate = () => 'COORDINATOR_LOAD_IN_PROGRESS'
    await session.start()
    await pass(50)
    expect(await close(1_000)).toEqual({ abandonedHandlers: 1, uncommitted: places([0], 0) })
  })
})

test('a topic that was created again is told by name', async () => {
  const { broker, session, pass, close, heard } = await openSession(() => undefined)
  broker.write('letters', 0, ['a'])
  broker.assign('letters', [0])
  await session.start()
  await pass(1_100)
  broker.createTopic('letters', 1, 'another-id')
  broker.committed.clear()
  broker.write('letters', 0, ['b'])
  broker.assign('letters', [0])
  await pass(2_000)
  expect(heard('topicRecreated')).toEqual([{ topic: 'letters', oldId: 'id-of-letters', newId: 'another-id' }])
  expect(broker.committedOf('letters', 0)).toBe(1)
  await close()
})

test('what the group took away while it was being drained does not hold up what it gives next', async () => {
  const { handler, calls, at } = held()
  const { broker, session, pass, close } = await openSession(handler, { handlerTimeoutMs: Infinity })
  broker.write('letters', 0, ['a'])
  broker.write('letters', 1, ['b'])
  broker.assign('letters', [0])
  await session.start()
  await pass(50)
  broker.assign('letters', [])
  await pass(700)
  broker.heartbeatFate = () => {
    broker.heartbeatFate = () => undefined
    return 'FENCED_MEMBER_EPOCH'
  }
  broker.assign('letters', [1])
  await pass(2_000)
  expect(at()).toEqual(['0/0', '1/0'])
  for (const { end } of calls) end()
  await close()
})

describe('what comes late', () => {
  test('the answer to a commit of an incarnation that is over is discarded and counted', async () => {
    const { broker, session, pass, close, heard } = await openSession(() => undefined)
    broker.write('letters', 0, ['a'])
    broker.committed.set('letters/0', 0)
    broker.assign('letters', [0])
    await session.start()
    await pass(500)
    broker.commitDelayMs = 2_000
    await pass(600)
    expect(broker.commits).toHaveLength(1)
    broker.heartbeatFate = () => {
      broker.heartbeatFate = () => undefined
      return 'FENCED_MEMBER_EPOCH'
    }
    await pass(3_000)
    expect(heard('lost')).toHaveLength(1)
    expect(session.inspect().committer.discardedResults).toBe(1)
    // The one that came after it has told its own commit alone.
    await pass(6_000)
    expect(heard('committed')).toEqual([{ offsets: places([0], 1) }])
    await close(5_000)
  })

  test('the end of an abandoned call counts for nothing', async () => {
    const { handler, calls, at } = held()
    const { broker, session, pass, close } = await openSession(handler, {
      handlerTimeoutMs: 1_000,
      abandonAfterMs: 1_000,
    })
    broker.write('letters', 0, ['a', 'b'])
    broker.assign('letters', [0])
    await session.start()
    await pass(2_500)
    expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2])
    calls[0]!.end()
    await pass(300)
    expect(at()).toEqual(['0/0', '0/0'])
    expect(broker.committedOf('letters', 0)).toBe(0)
    expect(session.inspect().dispatcher.abandoned).toBe(0)
    calls[1]!.end()
    await pass(100)
    calls[2]!.end()
    await close()
    expect(broker.committedOf('letters', 0)).toBe(2)
  })

  test('the answer to a heartbeat counts from when it was sent', async () => {
    const { broker, session, pass, close } = await openSession(() => undefined, { sessionTimeoutMs: 5_000 })
    broker.assign('letters', [0])
    await session.start()
    await pass(5_000)
    broker.heartbeatDelayMs = 3_000
    await pass(4_000)
    expect(session.inspect().membership.silentMs).toBeGreaterThanOrEqual(3_000)
    broker.heartbeatDelayMs = 0
    await close(10_000)
  })

  test('a drain that the group has overtaken acknowledges nothing', async () => {
    const { handler, calls } = held()
    const { broker, session, pass, close, heard } = await openSession(handler, { handlerTimeoutMs: Infinity })
    broker.write('letters', 0, ['a'])
    broker.assign('letters', [0])
    await session.start()
    await pass(50)
    broker.assign('letters', [])
    await pass(700)
    broker.heartbeatFate = () => {
      broker.heartbeatFate = () => undefined
      return 'FENCED_MEMBER_EPOCH'
    }
    await pass(3_000)
    expect(heard('lost')).toHaveLength(1)
    expect(heard('revoked')).toEqual([])
    for (const { end } of calls) end()
    await close()
  })
})

describe('pressure', () => {
  test('is told by name, and makes batches smaller for as long as it lasts', async () => {
    const sizes: number[] = []
    let memory = 0.9
    const readings = { memory: () => memory, cpu: () => 0 }
    const handler = (records: unknown): void => void sizes.push((records as unknown[]).length)
    const { broker, session, pass, close, heard } = await openSession(handler, { batch: true, readings })
    broker.assign('letters', [0])
    await session.start()
    const values = Array.from({ length: 100 }, (_, number) => `${number}`)
    broker.write('letters', 0, values)
    await pass(100)
    expect(sizes).toEqual([100])
    await pass(10_000)
    expect(heard('pressure')).toEqual([{ condition: 'memory', active: true, value: 0.9, all: ['memory'] }])
    broker.write('letters', 0, values)
    await pass(1_000)
    expect(sizes.slice(1)).toEqual(Array.from({ length: 10 }, () => 10))
    memory = 0.5
    await pass(20_000)
    expect(heard('pressure').at(-1)).toMatchObject({ condition: 'memory', active: false })
    broker.write('letters', 0, values)
    await pass(100)
    expect(sizes.at(-1)).toBe(100)
    await close()
  })

  test('of handlers that take long is seen in those that run', async () => {
    const { handler, calls } = held()
    const { broker, session, pass, close, heard } = await openSession(handler)
    broker.write('letters', 0, ['a'])
    broker.assign('letters', [0])
    await session.start()
    await pass(12_500)
    expect(heard('pressure')).toMatchObject([{ condition: 'handlingTime', active: true }])
    calls[0]!.end()
    await close()
  })

  test('is not watched where it is switched off', async () => {
    const readings = { memory: () => 1, cpu: () => 1 }
    const { broker, session, pass, close, heard } = await openSession(() => {}, { pressure: false, readings })
    broker.assign('letters', [0])
    await session.start()
    await pass(20_000)
    expect(heard('pressure')).toEqual([])
    expect(session.inspect().pressure).toBeUndefined()
    await close()
  })
})
