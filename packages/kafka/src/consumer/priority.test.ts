import { describe, expect, test } from 'vitest'
import { text } from '../codecs/text.ts'
import { topic } from '../record/topic.ts'
import { parseConsumerOptions, type ConsumerOptions } from './options.ts'
import { letters, openSession } from './testing/open-session.ts'

const telegrams = topic('telegrams', { key: text, value: text })
const both = { topics: [letters, telegrams], topicPriority: { telegrams: 'high' } } as const

/** Calls that end when the test says so. */
async function open(options: Partial<ConsumerOptions> & { partitions?: number }) {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const opened = await openSession(
    ({ value }) => {
      begun.push(value)
      return new Promise<void>((resolve) => ends.set(value, resolve))
    },
    { partitions: 1, ...options },
  )
  const end = async (...values: string[]): Promise<void> => {
    for (const value of values) ends.get(value)!()
    await opened.pass(10)
  }
  return { ...opened, begun, end }
}

const numbered = (name: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${name}${n}`)

describe.each(['partition', 'key', 'unordered'] as const)('order %s: a record of a high topic', (order) => {
  test('has the next free slot, whatever waits and however long', async () => {
    const { broker, session, begun, end, pass, close } = await open({
      ...both,
      order,
      partitions: 4,
      concurrency: 2,
      handlerTimeoutMs: 600_000,
    })
    for (const partition of [0, 1, 2, 3]) broker.write('letters', partition, numbered(`${partition}:`, 50))
    broker.assign('letters', [0, 1, 2, 3])
    broker.assign('telegrams', [0])
    await session.start()
    await pass(45_000)
    expect(begun).toHaveLength(2)
    broker.write('telegrams', 0, ['urgent'])
    await pass(1_000)
    await end(begun[0]!)
    expect(begun.slice(2)).toEqual(['urgent'])
    await end('urgent', begun[1]!)
    expect(begun).toHaveLength(5)
    await close()
  })

  test('leaves three quarters of the slots to what has waited for 30 s', async () => {
    const { broker, session, begun, end, pass, close } = await open({
      ...both,
      order,
      partitions: 8,
      concurrency: 4,
      handlerTimeoutMs: 600_000,
    })
    const all = [0, 1, 2, 3, 4, 5, 6, 7]
    broker.assign('letters', all)
    broker.assign('telegrams', all)
    await session.start()
    for (const partition of all) broker.write('letters', partition, numbered(`${partition}:`, 5))
    await pass(1_000)
    expect(begun).toHaveLength(4)
    await pass(31_000)
    for (const partition of all) broker.write('telegrams', partition, [`${partition}:urgent`])
    await pass(1_000)
    await end(...begun)
    const urgent = begun.slice(4).filter((value) => value.includes('urgent'))
    expect(begun).toHaveLength(8)
    expect(urgent.length).toBeGreaterThanOrEqual(1)
    if (order === 'partition') expect(urgent).toHaveLength(1)
    await close()
  })
})

test('records in memory are handled by what they say themselves, low last', async () => {
  const priority = ({ value }: { value: unknown }) => {
    const [, rank] = String(value).split('/')
    return rank as 'high' | 'low' | undefined
  }
  const { broker, session, begun, end, pass, close } = await open({ order: 'key', concurrency: 1, priority })
  broker.write('letters', 0, ['a:1', 'b:2/low', 'c:3', 'd:4/high', 'b:5', 'e:6/high'])
  broker.assign('letters', [0])
  await session.start()
  await pass(50)
  for (let done = 0; done < 6; done++) await end(begun.at(-1)!)
  // A lane is as important as the most important that waits in it: b is medium for its second record.
  expect(begun).toEqual(['d:4/high', 'e:6/high', 'a:1', 'b:2/low', 'c:3', 'b:5'])
  await close()
})

test('by key, a record of a high topic goes before a lane that is ready already', async () => {
  const begun: string[] = []
  const ends = new Map<string, PromiseWithResolvers<void>>()
  const { broker, session, pass, close } = await openSession(
    ({ value }) => {
      begun.push(value)
      ends.set(value, Promise.withResolvers())
      return ends.get(value)!.promise
    },
    { ...both, order: 'key', partitions: 1, concurrency: 2, retry: { initialMs: 100 } },
  )
  broker.write('letters', 0, ['a:1', 'b:1', 'c:1'])
  broker.assign('letters', [0])
  broker.assign('telegrams', [0])
  await session.start()
  await pass(50)
  ends.get('a:1')!.reject(new Error('not yet'))
  await pass(500)
  broker.write('telegrams', 0, ['urgent'])
  await pass(500)
  expect(begun).toEqual(['a:1', 'b:1', 'c:1'])
  ends.get('b:1')!.resolve()
  await pass(10)
  expect(begun.slice(3)).toEqual(['urgent'])
  await close()
})

test('a further attempt that falls due in a pause waits for its end, before the rest of its key', async () => {
  const begun: string[] = []
  let fail: (error: Error) => void = () => {}
  const { broker, session, pass, close } = await openSession(
    ({ value }) => {
      begun.push(value)
      if (begun.length > 1) return undefined
      return new Promise((_, reject) => (fail = reject))
    },
    { order: 'key', partitions: 1, retry: { initialMs: 1_000 } },
  )
  broker.write('letters', 0, ['a:1', 'a:2'])
  broker.write('letters', 0, ['a:3'])
  broker.assign('letters', [0])
  await session.start()
  await pass(100)
  session.setPaused([...session.partitions][0]!, true)
  fail(new Error('not yet'))
  await pass(5_000)
  expect(begun).toEqual(['a:1'])
  session.setPaused([...session.partitions][0]!, false)
  await pass(100)
  expect(begun).toEqual(['a:1', 'a:1', 'a:2', 'a:3'])
  await close()
})

test.each([
  [{ priority: 7 as never, order: 'key' }, 'priority'],
  [{ priority: '', order: 'key' }, 'priority'],
  [{ priority: 'rank' }, 'priority'],
  [{ topicPriority: { other: 'high' } }, 'topicPriority'],
  [{ topicPriority: { letters: 'urgent' as never } }, 'topicPriority.letters'],
] as const)('%o is refused, naming %s', (options, field) => {
  const base = { group: 'readers', topics: [letters] }
  expect(() => parseConsumerOptions({ ...base, ...options })).toThrow(expect.objectContaining({ field }))
})
