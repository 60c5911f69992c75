import { createClient } from '@redis/client'
import { SluiceError, systemClock } from '@sluice/flow'
import { messageOf } from '@sluice/flow/internal'
import type { Logger } from 'pino'
import type { RedisConfig } from '../config/servers.ts'

const CONNECT_TIMEOUT_MS = 5_000
const COMMAND_TIMEOUT_MS = 5_000
const MAX_RECONNECT_MS = 2_000
/** Until it was connected once: about 3 s. A wrong address is told at the start instead of being tried for ever. */
const MAX_FIRST_ATTEMPTS = 6
const MAX_QUEUED_COMMANDS = 10_000

export type Redis = Awaited<ReturnType<typeof openRedis>>

/** Redis did not answer in time; it may be frozen or out of reach. */
export class RedisTimeoutError extends SluiceError<'redis_timed_out'> {
  constructor(timeoutMs: number) {
    super('redis_timed_out', `Redis did not answer within ${timeoutMs} ms`, { retriable: true, facts: { timeoutMs } })
  }
}

/** Redis could not be reached or refused the password when the program started. */
export class RedisUnreachableError extends SluiceError<'redis_unreachable'> {
  constructor(config: RedisConfig, cause: unknown) {
    const { host } = new URL(config.url)
    const why = messageOf(cause)
    super('redis_unreachable', `Redis at ${host} cannot be used: ${why} (REDIS_URL, or REDIS_HOST and the others)`, {
      retriable: true,
      cause,
      facts: { host },
    })
  }
}

/** A connection that comes back by itself. While it is away commands fail at once instead of piling up. */
export async function openRedis(config: RedisConfig, name: string, log: Logger) {
  let wasReady = false
  const client = createClient({
    url: config.url,
    name,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_QUEUED_COMMANDS,
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectStrategy: (retries, cause) =>
        !wasReady && retries >= MAX_FIRST_ATTEMPTS
          ? cause
          : Math.min(50 * 2 ** Math.min(retries, 10), MAX_RECONNECT_MS),
    },
  })
  let lastMessage = ''
  client.on('error', (error: Error) => {
    // It says the same at each attempt; one line is enough.
    if (error.message !== lastMessage) log.warn({ err: error }, 'the connection to Redis broke')
    lastMessage = error.message
  })
  client.on('ready', () => {
    if (lastMessage !== '') log.info('connected to Redis again')
    lastMessage = ''
    wasReady = true
  })
  try {
    await client.connect()
  } catch (error) {
    throw new RedisUnreachableError(config, error)
  }
  return client
}

/** Bounds the wait for an answer: the client itself waits for ever for one that a frozen server owes. */
export async function answered<T>(reply: Promise<T>, timeoutMs = COMMAND_TIMEOUT_MS): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>()
  const timer = systemClock.setTimeout(() => reject(new RedisTimeoutError(timeoutMs)), timeoutMs)
  try {
    return await Promise.race([reply, expired])
  } finally {
    timer.cancel()
  }
}
