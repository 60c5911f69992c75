import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { StackContext } from '../context.ts'
import { withOtherPorts } from '../host/ports.ts'
import { serverEnvironment } from '../host/server-environment.ts'
import { findRedis } from './binaries.ts'
import { pingRedis } from './resp.ts'

/** Redis as a stack offers it: its own, or one that was given. */
export interface RedisServer {
  readonly url: string
}

/** The Redis of a stack. */
export interface RedisOptions {
  /** From 1 to 65,535. Default: 6379 of a project, else a free one; a random one in tests. */
  readonly port?: number
}

/** Starts a private Redis. */
export async function startRedis(options: RedisOptions, password: string, context: StackContext): Promise<RedisServer> {
  const { folder, supervisor, ports } = context
  const home = folder.serverFolder('redis')
  const command = await findRedis(folder.account, context.onProgress)
  return withOtherPorts(async () => {
    const port =
      options.port === undefined
        ? await ports.take(folder.preferredPorts('redis', 6379))
        : await ports.takeExactly(options.port, 'redis.port')
    folder.rememberPort('redis', port)
    const configFile = join(home, 'redis.conf')
    folder.writeForServers(configFile, configuration(home, port, password, folder.temporary))
    const url = `redis://:${password}@127.0.0.1:${port}`
    context.onProgress('starting Redis')
    await supervisor.start({
      name: 'redis',
      command,
      args: [configFile],
      cwd: home,
      env: serverEnvironment(home),
      restart: context.keepRunning ? 'always' : 'never',
      ...(folder.temporary && { orphanGraceMs: 0 }),
      ...(context.keepRunning && { answers: () => pingRedis(url, 3_000).then(() => undefined) }),
      url: `127.0.0.1:${port}`,
      account: folder.account,
      ready: ({ signal }) => becomeReady(url, signal),
    })
    return { url }
  })
}

function configuration(home: string, port: number, password: string, temporary: boolean): string {
  return [
    'bind 127.0.0.1',
    `port ${port}`,
    `requirepass ${password}`,
    `dir "${home}"`,
    'daemonize no',
    ...(temporary ? ['save ""'] : ['appendonly yes']),
    '',
  ].join('\n')
}

async function becomeReady(url: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const answer = await pingRedis(url, 2_000).catch(() => undefined)
    if (answer === '+PONG') return
    await sleep(20, undefined, { signal })
  }
}
