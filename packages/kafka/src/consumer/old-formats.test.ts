import { describe, expect, test } from 'vitest'
import { oldLogs } from '../batch/testing/old-logs.ts'
import { openSession } from './testing/open-session.ts'

const nothing = { bytes: 0, records: 0, expandedBytes: 0 }
const names = Object.keys(oldLogs).filter((name) => !name.includes('compacted'))
const cases = (['partition', 'key'] as const).flatMap((order) => names.map((name) => [name, order] as const))

/** Offsets and values, as they stand in the fixtures. */
const wanted = (name: string, from = 0): string[] =>
  oldLogs[name]![1].split(';')
    .filter((one) => one !== '' && Number(one.split('|')[0]) >= from)
    .map((one) => `${one.split('|')[0]} ${one.split('|')[3]}`)

describe('a log in an old message format', () => {
  test.each(cases)('(%s, order by %s) is consumed and committed, and what follows it too', async (name, order) => {
    const seen: string[] = []
    const handler = ({ offset, value }: { offset: number; value: string | null }): unknown =>
      seen.push(`${offset} ${value?.replace(' ', '_') ?? null}`)
    const { broker, session, pass, heard, close, failures } = await openSession(handler, { order })
    const all = wanted(name)
    broker.writeBytes('letters', 0, all.length, Buffer.from(oldLogs[name]![0], 'hex'))
    broker.write('letters', 0, ['new'])
    broker.assign('letters', [0])
    await session.start()
    await pass(3_000)
    expect([failures, heard('unreadable')]).toEqual([[], []])
    expect(seen).toEqual([...all, `${all.length} new`])
    await close()
    expect(broker.committedOf('letters', 0)).toBe(all.length + 1)
    expect(session.inspect().gate).toMatchObject(nothing)
  })

  test.each(['v0-gzip', 'v1-lz4'])('(%s) is read from the middle of a wrapper', async (name) => {
    const seen: number[] = []
    const { broker, session, pass, close } = await openSession(({ offset }) => seen.push(offset))
    broker.writeBytes('letters', 0, 5, Buffer.from(oldLogs[name]![0], 'hex'))
    broker.committed.set('letters/0', 3)
    broker.assign('letters', [0])
    await session.start()
    await pass(3_000)
    expect(seen).toEqual([3, 4])
    await close()
    expect(broker.committedOf('letters', 0)).toBe(5)
    expect(session.inspect().gate).toMatchObject(nothing)
  })

  test('gives what a wrapper holds back to the books when its partition goes away in its middle', async () => {
    const held = Promise.withResolvers<void>()
    const { broker, session, pass, close } = await openSession(() => held.promise)
    broker.writeBytes('letters', 0, 5, Buffer.from(oldLogs['v1-gzip']![0], 'hex'))
    broker.assign('letters', [0])
    await session.start()
    await pass(1_000)
    expect(session.inspect().gate).toMatchObject({ records: 5 })
    broker.assign('letters', [])
    await pass(1_000)
    held.resolve()
    await pass(2_000)
    expect(broker.committedOf('letters', 0)).toBe(1)
    expect(session.inspect().gate).toMatchObject(nothing)
    await close()
  })
})
