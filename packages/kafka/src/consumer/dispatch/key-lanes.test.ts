import { describe, expect, test } from 'vitest'
import type { HandlerContext } from './invocation.ts'
import { decodeOffsetMap } from '../commit/offset-map.ts'
import { openSession } from '../testing/open-session.ts'
import { TimeLimit } from '../../time-limit.ts'

type Options = Parameters<typeof openSession>[1]

/** Calls that the test answers one by one. */
function held() {
  const begun: string[] = []
  const ends = new Map<string, PromiseWithResolvers<void>>()
  const handler = ({ value }: { value: string }, _context: HandlerContext): Promise<void> => {
    begun.push(value)
    const end = Promise.withResolvers<void>()
    ends.set(value, end)
    return end.promise
  }
  return {
    begun,
    handler,
    end: (...values: string[]) => {
      for (const value of values) ends.get(value)!.resolve()
    },
    fail: (value: string) => ends.get(value)!.reject(new Error(`${value} failed`)),
  }
}

async function openHeld(values: readonly string[], options: Options = {}) {
  const calls = held()
  const opened = await openSession(calls.handler, { order: 'key', partitions: 1, concurrency: 3, ...options })
  opened.broker.write('letters', 0, values)
  opened.broker.assign('letters', [0])
  await opened.session.start()
  await opened.pass(100)
  return { ...calls, ...opened, map: () => decodeOffsetMap(opened.broker.metadata.get('letters/0') ?? '')?.ranges }
}

describe('order by key', () => {
  test('handles one record of a key at a time, in order, and other keys beside it, past any number of its own', async () => {
    const { begun, end, pass, close } = await openHeld(['a:1', 'a:2', 'a:3', 'a:4', 'b:1', 'c:1', 'd:1'])
    expect(begun).toEqual(['a:1', 'b:1', 'c:1'])
    end('b:1')
    await pass(10)
    expect(begun).toEqual(['a:1', 'b:1', 'c:1', 'd:1'])
    end('a:1', 'd:1')
    await pass(10)
    expect(begun.slice(4)).toEqual(['a:2'])
    end('a:2', 'c:1')
    await pass(10)
    end('a:3')
    await pass(10)
    end('a:4')
    expect(begun.slice(4)).toEqual(['a:2', 'a:3', 'a:4'])
    await close()
  })

  test('a record without a key waits for none', async () => {
    const { begun, end, pass, close } = await openHeld(['x', 'y', 'z', 'w'])
    expect(begun).toEqual(['x', 'y', 'z'])
    end('y')
    await pass(10)
    expect(begun).toEqual(['x', 'y', 'z', 'w'])
    end('x', 'z', 'w')
    await close()
  })

  test('unordered, not even a key waits for itself', async () => {
    const { begun, end, close } = await openHeld(['a:1', 'a:2', 'a:3'], { order: 'unordered' })
    expect(begun).toEqual(['a:1', 'a:2', 'a:3'])
    end('a:1', 'a:2', 'a:3')
    await close()
  })

  test('a failing record holds up its own key alone, and gives its slot back while it waits', async () => {
    const retry = { attempts: 3, initialMs: 1_000, maxMs: 1_000 }
    const { begun, end, fail, pass, close } = await openHeld(['a:1', 'a:2', 'b:1', 'c:1', 'd:1'], { retry })
    fail('a:1')
    await pass(500)
    expect(begun).toEqual(['a:1', 'b:1', 'c:1', 'd:1'])
    end('b:1', 'c:1', 'd:1')
    await pass(1_000)
    expect(begun.slice(4)).toEqual(['a:1'])
    end('a:1')
    await pass(10)
    expect(begun.slice(5)).toEqual(['a:2'])
    end('a:2')
    await close()
  })

  test('handlers that return no promise: each key in order, with those that do between them', async () => {
    const seen: string[] = []
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => (release = resolve))
    const opened = await openSession(
      ({ value }) => {
        seen.push(value)
        return value === 'b:1' ? gate : undefined
      },
      { order: 'key', partitions: 1, concurrency: 2 },
    )
    opened.broker.write('letters', 0, ['a:1', 'b:1', 'b:2', 'a:2', 'c:1', 'b:3'])
    opened.broker.assign('letters', [0])
    await opened.session.start()
    await opened.pass(50)
    expect(seen).toEqual(['a:1', 'b:1', 'a:2', 'c:1'])
    release()
    await opened.pass(2_000)
    expect(seen.slice(4)).toEqual(['b:2', 'b:3'])
    expect(opened.broker.committedOf('letters', 0)).toBe(6)
    await opened.close()
  })

  test('after the last attempt the consumer is told to stop, with the record named', async () => {
    const { fail, failures, pass, close } = await openHeld(['a:1', 'b:1'], { retry: { attempts: 1 } })
    fail('b:1')
    await pass(10)
    expect(failures).toMatchObject([{ code: 'handler_failed', offset: 1, attempts: 1 }])
    await close()
  })

  test('what of a paused partition has not begun waits until it is resumed', async () => {
    const { begun, end, session, pass, close } = await openHeld(['a:1', 'a:2', 'b:1', 'c:1', 'd:1'])
    session.setPaused([...session.partitions][0]!, true)
    end('a:1', 'b:1')
    await pass(100)
    expect(begun).toEqual(['a:1', 'b:1', 'c:1'])
    session.setPaused([...session.partitions][0]!, false)
    await pass(100)
    expect(begun.slice(3)).toEqual(['a:2', 'd:1'])
    end('c:1', 'a:2', 'd:1')
    await close()
  })

  test('a handler that closes the session is not waited for by itself', async () => {
    let closing: Promise<unknown> | undefined
    const first = Promise.withResolvers<void>()
    const opened = await openSession(
      ({ value }) => {
        if (value === 'a:1') return first.promise
        closing = opened.session.close(new TimeLimit(opened.broker.clock, 10_000))
        return undefined
      },
      { order: 'key', partitions: 1 },
    )
    opened.broker.write('letters', 0, ['a:1', 'a:2'])
    opened.broker.assign('letters', [0])
    await opened.session.start()
    await opened.pass(50)
    first.resolve()
    await opened.pass(1_000)
    let isClosed = false
    void closing!.then(() => (isClosed = true))
    await opened.pass(10)
    expect([isClosed, opened.broker.committedOf('letters', 0)]).toEqual([true, 2])
  })

  test('a stuck record is named', async () => {
    const { heard, end, pass, close } = await openHeld(['a:1', 'a:2'], { stuckAfterMs: 200 })
    await pass(200)
    expect(heard('stuck')).toMatchObject([{ topic: 'letters', partition: 0, offset: 0, key: 'a', attempt: 1 }])
    end('a:1')
    await pass(10)
    end('a:2')
    await close()
  })

  test('a more important record that is in memory goes first', async () => {
    const priority = ({ value }: { value: unknown }) => (value === 'c:1' ? 'high' : 'low')
    const { begun, end, pass, close } = await openHeld(['a:1', 'b:1', 'c:1'], { concurrency: 1, priority })
    expect(begun).toEqual(['c:1'])
    end('c:1')
    await pass(10)
    end('a:1')
    await pass(10)
    end('b:1')
    expect(begun).toEqual(['c:1', 'a:1', 'b:1'])
    await close()
  })
})

describe('what is finished beyond a hole', () => {
  test('is committed as an offset map, and goes when the hole closes', async () => {
    const { end, broker, map, pass, close } = await openHeld(['a:1', 'b:1', 'c:1', 'd:1'])
    end('b:1')
    await pass(10)
    end('d:1')
    await pass(1_500)
    expect([broker.committedOf('letters', 0), map()]).toEqual([
      0,
      [
        { start: 1, end: 2 },
        { start: 3, end: 4 },
      ],
    ])
    end('a:1', 'c:1')
    await pass(1_500)
    expect([broker.committedOf('letters', 0), broker.metadata.get('letters/0')]).toEqual([4, ''])
    await close()
  })

  test('is not handled again after a stop, and what is not finished is', async () => {
    const first = await openHeld(['a:1', 'b:1', 'c:1', 'd:1', 'e:1'])
    first.end('b:1', 'c:1')
    await first.pass(10)
    first.end('e:1')
    await first.close(100)
    const { broker } = first
    const again = held()
    const next = await openSession(again.handler, { order: 'key', partitions: 1, on: broker })
    broker.assign('letters', [0])
    await next.session.start()
    await next.pass(100)
    expect(again.begun).toEqual(['a:1', 'd:1'])
    again.end('a:1', 'd:1')
    await next.pass(1_500)
    expect(broker.committedOf('letters', 0)).toBe(5)
    await next.close()
  })

  test.each([
    ['was cut since', (broker: { epochEnd: number | undefined }) => (broker.epochEnd = 2)],
    [
      'is another one of the same name',
      (broker: { topics: Map<string, { id: string; partitions: number }> }) =>
        broker.topics.set('letters', { id: 'another', partitions: 1 }),
    ],
  ])('is handled again where the log %s', async (_, change) => {
    const first = await openHeld(['a:1', 'b:1', 'c:1'])
    first.end('b:1', 'c:1')
    await first.pass(1_500)
    await first.close(100)
    const { broker } = first
    change(broker)
    const again = held()
    const next = await openSession(again.handler, { order: 'key', partitions: 1, on: broker })
    broker.assign('letters', [0])
    await next.session.start()
    await next.pass(100)
    expect(again.begun).toEqual(['a:1', 'b:1', 'c:1'])
    again.end('a:1', 'b:1', 'c:1')
    await next.close()
  })
})
