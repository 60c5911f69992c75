import { expect, test } from 'vitest'
import { startStack } from './start-stack.ts'

test.each([
  [{ mysql: true }, 'unknown option `mysql`'],
  [{ kafka: { broker: 3 } }, 'unknown option `kafka.broker`'],
  [{ postgres: { ports: 1 } }, 'unknown option `postgres.ports`'],
  [{ redis: { prot: 1 } }, 'unknown option `redis.prot`'],
])('startStack refuses %j before anything is started', async (options, message) => {
  await expect(startStack(options as never)).rejects.toThrow(
    expect.objectContaining({ code: 'option_invalid', message }),
  )
})
