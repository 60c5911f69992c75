import { expect, test } from 'vitest'
import { HealthWatch } from './health-watch.ts'

test('a server is reported once it has missed two answers in a row, and again when it answers', async () => {
  // Answers, misses one, answers, misses two, answers; one that hangs is missed as well.
  const answers = [true, false, true, false, 'hangs', true] as const
  const changes: string[] = []
  const { promise: back, resolve } = Promise.withResolvers<void>()
  let asked = 0
  const watch = new HealthWatch({
    ask: async () => {
      const answer = answers[asked++] ?? true
      if (answer === 'hangs') await new Promise(() => {})
      if (!answer) throw new Error('refused')
    },
    everyMs: 1,
    timeoutMs: 20,
    onChange: (isAnswering) => {
      changes.push(`${isAnswering} after ${asked}`)
      if (isAnswering) resolve()
    },
  })
  await back
  expect(changes).toEqual(['false after 5', 'true after 6'])
  watch[Symbol.dispose]()
})
