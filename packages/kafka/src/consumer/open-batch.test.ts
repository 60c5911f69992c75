import { describe, expect, test } from 'vitest'
import { openSession } from './testing/open-session.ts'

const LARGE = 200_000
const gate = { maxBytes: 65_536 }

/** Notes partition and first letter of each record; the first call is answered by the test. */
function firstHeld() {
  const seen: string[] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const handler = ({ value, partition }: { value: string; partition: number }): unknown => {
    seen.push(`${partition}/${value[0]}`)
    return seen.length === 1 ? promise : undefined
  }
  return { seen, handler, end: resolve, fail: reject }
}

/** One batch of partition 0 that passes the budget when it is open, with its first record being handled. */
async function openLarge(options: Parameters<typeof openSession>[1], letters = ['a', 'b', 'c']) {
  const held = firstHeld()
  const opened = await openSession(held.handler, { gate, ...options })
  const values = letters.map((letter) => letter.repeat(LARGE))
  opened.broker.write('letters', 0, values, 'gzip')
  opened.broker.assign('letters', [0, 1])
  await opened.session.start()
  await opened.pass(500)
  expect(opened.session.inspect().gate.expandedBytes).toBeGreaterThan(gate.maxBytes)
  return { ...held, ...opened }
}

const nothing = { bytes: 0, records: 0, expandedBytes: 0 }

describe('a batch that is open beyond the budget does not hold up other partitions', () => {
  test('while its own is paused', async () => {
    const { seen, end, broker, session, pass, close } = await openLarge({})
    session.setPaused([...session.partitions][0]!, true)
    end()
    await pass(100)
    for (const value of ['x', 'y']) broker.write('letters', 1, [value], 'gzip')
    await pass(1_000)
    expect(seen).toEqual(['0/a', '1/x', '1/y'])
    session.setPaused([...session.partitions][0]!, false)
    await pass(1_100)
    expect(seen).toEqual(['0/a', '1/x', '1/y', '0/b', '0/c'])
    expect(broker.committedOf('letters', 0)).toBe(3)
    await close()
    expect(session.inspect().gate).toMatchObject(nothing)
  })

  test.each([[['a', 'b', 'c']], [['a']]])('while a record of %j waits for another attempt', async (letters) => {
    const retry = { initialMs: 20_000, maxMs: 20_000 }
    const { seen, fail, broker, session, pass, close } = await openLarge({ retry }, letters)
    fail(new Error('no'))
    await pass(100)
    for (const value of ['x', 'y']) broker.write('letters', 1, [value], 'gzip')
    await pass(1_000)
    expect(seen).toEqual(['0/a', '1/x', '1/y'])
    await pass(20_000)
    expect(seen).toEqual(['0/a', '1/x', '1/y', ...letters.map((letter) => `0/${letter}`)])
    expect(broker.committedOf('letters', 0)).toBe(letters.length)
    await close()
    expect(session.inspect().gate).toMatchObject(nothing)
  })

  test('and leaves nothing in the books when it is taken away meanwhile', async () => {
    const { end, broker, session, pass, close } = await openLarge({})
    session.setPaused([...session.partitions][0]!, true)
    end()
    await pass(100)
    broker.assign('letters', [1])
    await pass(1_000)
    expect(broker.committedOf('letters', 0)).toBe(1)
    expect(session.inspect().gate).toMatchObject({ records: 0, expandedBytes: 0 })
    await close()
    expect(session.inspect().gate).toMatchObject(nothing)
  })
})
