import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { redisIdempotency } from './redis-idempotency.ts'

const mark = { group: 'g', key: 'k', topic: 't', partition: 0, offset: 1, leaderEpoch: 0 }

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('a claim that no timer keeps is refused by name', () => {
  const client = { eval: async () => null }
  expect(() => redisIdempotency({ client, claimMs: 7e9 })).toThrow(
    expect.objectContaining({ code: 'config_invalid', field: 'claimMs' }),
  )
  expect(() => redisIdempotency({ client, claimMs: 2 ** 31 - 1 })).not.toThrow()
})

test('a claim is renewed while its record is handled, and renewals do not pile up while Redis is away', async () => {
  let isAway = false
  let waiting: (() => void)[] = []
  const scripts: string[] = []
  const client = {
    async eval(script: string) {
      scripts.push(script)
      // As the client does it: what it is told while there is no connection is kept until there is.
      if (isAway) await new Promise<void>((resolve) => waiting.push(resolve))
      return null
    },
  }
  const handled = Promise.withResolvers<void>()
  const store = redisIdempotency({ client, claimMs: 3_000, onClaimLost: () => {} })
  const done = store.once(mark, () => handled.promise)
  await vi.advanceTimersByTimeAsync(3_500)
  expect(scripts).toHaveLength(1 + 3)
  isAway = true
  await vi.advanceTimersByTimeAsync(60_000)
  expect(scripts).toHaveLength(1 + 3 + 1)
  isAway = false
  for (const resolve of waiting) resolve()
  waiting = []
  await vi.advanceTimersByTimeAsync(1_000)
  expect(scripts).toHaveLength(1 + 3 + 1 + 1)
  handled.resolve()
  expect(await done).toBe('handled')
  expect(vi.getTimerCount()).toBe(0)
})
