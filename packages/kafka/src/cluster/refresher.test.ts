import { ManualClock } from '@sluice/flow'
import { describe, expect, test } from 'vitest'
import { Refresher } from './refresher.ts'

interface Asked {
  readonly topics: readonly string[]
  readonly answer: PromiseWithResolvers<void>
}

function setUp() {
  const clock = new ManualClock()
  const asked: Asked[] = []
  const refresher = new Refresher(clock, (topics) => {
    const answer = Promise.withResolvers<void>()
    asked.push({ topics, answer })
    return answer.promise
  })
  return { clock, asked, refresher }
}

describe('a refresher', () => {
  test('makes one request of all that ask while one is under way', async () => {
    const { clock, asked, refresher } = setUp()
    const first = refresher.refresh(['a'])
    const second = refresher.refresh(['b'])
    const third = refresher.refresh(['c', 'b'])
    expect(asked.map(({ topics }) => topics)).toEqual([['a']])
    asked[0]!.answer.resolve()
    await first
    await clock.advanceAsync(50)
    expect(asked.map(({ topics }) => topics)).toEqual([['a'], ['b', 'c']])
    asked[1]!.answer.resolve()
    await Promise.all([second, third])
    expect(asked).toHaveLength(2)
  })

  test('keeps a distance that grows with failures, up to a second, and tells each to those that asked', async () => {
    const { clock, asked, refresher } = setUp()
    for (let failures = 0; failures < 8; failures++) {
      const refreshed = refresher.refresh(['a'])
      const startedMs = clock.monotonicMs()
      for (let waited = 0; asked.length === failures && waited < 2_000; waited += 10) await clock.advanceAsync(10)
      const waitedMs = clock.monotonicMs() - startedMs
      expect(waitedMs).toBeLessThanOrEqual(1_010)
      if (failures > 0) expect(waitedMs).toBeGreaterThanOrEqual(Math.min(1_000, 100 * 2 ** (failures - 1)) / 2)
      asked[failures]!.answer.reject(new Error(`no ${failures}`))
      await expect(refreshed).rejects.toThrow(`no ${failures}`)
    }
  })

  test('fails those that still wait when it is closed', async () => {
    const { asked, refresher } = setUp()
    const first = refresher.refresh(['a'])
    const second = refresher.refresh(['b'])
    refresher.close(new Error('closed'))
    await expect(second).rejects.toThrow('closed')
    asked[0]!.answer.resolve()
    await first
    expect(asked).toHaveLength(1)
  })

  test('is closed while it keeps its distance, and asks no more', async () => {
    const { clock, asked, refresher } = setUp()
    const first = refresher.refresh(['a'])
    asked[0]!.answer.resolve()
    await first
    const second = refresher.refresh(['b']).catch((error: unknown) => error)
    await clock.advanceAsync(10)
    refresher.close(new Error('closed'))
    expect(await second).toMatchObject({ message: 'closed' })
    await clock.advanceAsync(1_000)
    expect(clock.pending).toBe(0)
    expect(asked).toHaveLength(1)
  })
})
