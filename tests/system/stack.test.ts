import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Kafka } from '@sluice/kafka'
import { type Stack, type StackStatus, kafkaToolsClassPath, readStatus, startStack, stopStack } from '@sluice/stack'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Child, fromSource, runOk } from './support/child.ts'
import { quickBrokers } from './support/quick-brokers.ts'
import { until } from './support/until.ts'

const holder = fileURLToPath(new URL('support/stack-holder.ts', import.meta.url))

// What is tested here is our own servers, whatever the other tests are to use.
delete process.env['SLUICE_TEST_USE_ENV']

describe('a throw-away stack', () => {
  let stack: Stack
  beforeAll(async () => {
    stack = await startStack({ kafka: { properties: quickBrokers }, postgres: true, redis: true })
  })
  afterAll(() => stack.close())

  it('is a Kafka, a PostgreSQL and a Redis that work', async () => {
    expect(await topics(stack.kafka.bootstrapServers, '--create', '--topic', 'kept')).toContain('Created topic kept')
    expect(await query(stack.postgres.url, 'SELECT 1 + 1 AS n')).toEqual([{ n: 2 }])
    expect(await redis(stack.redis.url, 'PING')).toBe('+PONG')
  })

  it('listens on the loopback address alone, on ports that outgoing connections do not use, with passwords', async () => {
    const ports = stack.inspect().processes.map(({ url }) => Number(url?.split(':')[1]))
    expect(ports.every((port) => port >= 15_000 && port < 32_000)).toBe(true)
    expect(await redis(stack.redis.url.replace(/:[^:]*@/, ':wrong@'), 'PING')).toMatch(/^-WRONGPASS/)
    await expect(query(stack.postgres.url.replace(/:[^:]*@/, ':wrong@'), 'SELECT 1')).rejects.toThrow(/password/)
    expect(statSync(join(stack.dataDir, 'secrets.json')).mode & 0o077).toBe(0)
  })

  it('answers nothing while its broker is frozen, and goes on afterwards', async () => {
    const { port } = stack.kafka.brokers[0]!
    stack.kafka.pause(1)
    expect(await answersKafka(port, 300)).toBe(false)
    stack.kafka.resume(1)
    expect(await answersKafka(port, 60_000)).toBe(true)
  })

  it('leaves a killed broker down until it is asked to start it, on the same port and data', async () => {
    const [before] = stack.kafka.brokers
    await stack.kafka.kill(1)
    expect(stack.kafka.brokers).toEqual([{ ...before, pid: undefined }])
    await stack.kafka.restart(1)
    const [after] = stack.kafka.brokers
    expect(after).toMatchObject({ port: before?.port })
    expect(after?.pid).not.toBe(before?.pid)
    expect(await topics(stack.kafka.bootstrapServers, '--list')).toContain('kept')
  })

  it('leaves nothing behind, neither processes nor data', async () => {
    const pids = stack.inspect().processes.map(({ pid }) => pid!)
    await stack.close()
    expect(pids.filter(isRunning)).toEqual([])
    expect(existsSync(stack.dataDir)).toBe(false)
  })
})

describe('three brokers', () => {
  it('go on when one is killed, and take it back', async () => {
    await using stack = await startStack({
      kafka: { brokers: 3, properties: { ...quickBrokers, 'num.partitions': 3 } },
    })
    expect(stack.kafka.bootstrapServers.split(',')).toHaveLength(3)
    expect(stack.kafka.brokers.map(({ id }) => id)).toEqual([1, 2, 3])
    await topics(stack.kafka.bootstrapServers, '--create', '--topic', 'spread')
    await stack.kafka.kill(2)
    const rest = stack.kafka.bootstrapServers.split(',').filter((_, index) => index !== 1)
    const described = await topics(rest.join(','), '--describe', '--topic', 'spread')
    expect(described).toContain('PartitionCount: 3')
    expect(described).toContain('ReplicationFactor: 3')
    await stack.kafka.restart(2)
    expect(await answersKafka(stack.kafka.brokers[1]!.port, 60_000)).toBe(true)
  })
})

describe('servers that somebody else has started', () => {
  let theirs: Stack
  beforeAll(async () => {
    theirs = await startStack({ postgres: true, redis: true })
  })
  afterAll(() => theirs.close())
  afterEach(() => {
    for (const name of ['DATABASE_URL', 'REDIS_URL', 'KAFKA_BOOTSTRAP_SERVERS']) delete process.env[name]
  })

  it('are used where the environment names them, and live on afterwards', async () => {
    process.env['DATABASE_URL'] = theirs.postgres.url
    process.env['REDIS_URL'] = theirs.redis.url
    const ours = await startStack({ postgres: true, redis: true, environment: 'use' })
    expect([ours.postgres.url, ours.redis.url]).toEqual([theirs.postgres.url, theirs.redis.url])
    expect(ours.inspect().processes).toEqual([])
    await ours.close()
    expect(await redis(theirs.redis.url, 'PING')).toBe('+PONG')
    expect(await query(theirs.postgres.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }])
  })

  it('are not touched by a test that does not ask for them', async () => {
    process.env['REDIS_URL'] = theirs.redis.url
    await using ours = await startStack({ redis: true })
    expect(ours.redis.url).not.toBe(theirs.redis.url)
  })

  it.each([
    ['REDIS_URL', 'login_refused', () => theirs.redis.url.replace(/:[^:]*@/, ':wrong@')],
    ['DATABASE_URL', 'login_refused', () => theirs.postgres.url.replace(/:[^:]*@/, ':wrong@')],
    ['DATABASE_URL', 'login_refused', () => theirs.postgres.url.replace(/[^/]*$/, 'nodatabase')],
    ['REDIS_URL', 'server_unreachable', () => 'redis://127.0.0.1:1'],
    ['DATABASE_URL', 'server_unreachable', () => 'postgres://u:p@127.0.0.1:1/d'],
    ['KAFKA_BOOTSTRAP_SERVERS', 'server_unreachable', () => '127.0.0.1:1'],
    ['KAFKA_BOOTSTRAP_SERVERS', 'server_unreachable', () => new URL(theirs.redis.url).host],
    ['KAFKA_BOOTSTRAP_SERVERS', 'environment_invalid', () => 'localhost'],
  ])('and are named wrongly in %s are one error: %s', async (variable, code, address) => {
    process.env[variable] = address()
    const start = startStack({ kafka: true, postgres: true, redis: true, environment: 'use' })
    await expect(start).rejects.toMatchObject({ code, variable, message: expect.stringContaining(variable) })
  })
})

describe('a stack that cannot start', () => {
  const { PATH, JAVA_HOME } = process.env
  afterEach(() => {
    process.env['PATH'] = PATH
    if (JAVA_HOME !== undefined) process.env['JAVA_HOME'] = JAVA_HOME
  })

  it('says that Java is missing and how to install it, and leaves nothing running', async () => {
    delete process.env['JAVA_HOME']
    process.env['PATH'] = '/nowhere'
    await expect(startStack({ kafka: true, environment: 'ignore' })).rejects.toMatchObject({
      code: 'java_missing',
      remedy: expect.stringContaining('install'),
    })
  })

  it('says which port is taken', async () => {
    await using other = await startStack({ redis: true })
    const port = Number(new URL(other.redis.url).port)
    await expect(startStack({ redis: { port } })).rejects.toMatchObject({ code: 'port_taken', port })
  })

  it('says that a folder cannot be made', async () => {
    const dataDir = join(fileURLToPath(import.meta.url), 'data')
    await expect(startStack({ redis: true, dataDir })).rejects.toMatchObject({
      code: 'folder_unusable',
      remedy: expect.stringContaining('SLUICE_DATA_DIR'),
    })
  })
})

describe('the data folder of a project', () => {
  let dataDir: string
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'sluice-data-'))
  })
  afterEach(async () => {
    await stopStack(dataDir)
    rmSync(dataDir, { recursive: true, force: true })
  })

  const hold = (options: object = { postgres: true, redis: true }) =>
    new Child(...fromSource(holder, [JSON.stringify({ dataDir, environment: 'ignore', ...options })]))
  const outcome = (child: Child) => child.line((line) => /^(ready|refused) /.test(line))

  it('keeps the data, the passwords and the ports from one start to the next', async () => {
    const options = { dataDir, postgres: true, redis: true, environment: 'ignore' } as const
    const first = await startStack(options)
    await query(first.postgres.url, 'CREATE TABLE kept AS SELECT 7 AS n')
    await redis(first.redis.url, 'SET kept 7')
    const urls = [first.postgres.url, first.redis.url]
    await first.close()
    expect(readStatus(dataDir)).toMatchObject({ state: 'stopped', kafka: null, postgres: null, processes: [] })
    await using second = await startStack(options)
    expect([second.postgres.url, second.redis.url]).toEqual(urls)
    expect(await query(second.postgres.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }])
    expect(await redis(second.redis.url, 'GET kept')).toBe('$1')
  })

  it('has a PostgreSQL that is not asked for the TLS that the environment demands of others', async () => {
    process.env['PGSSLMODE'] = 'require'
    try {
      await using stack = await startStack({ dataDir, postgres: true, environment: 'ignore' })
      expect(await query(stack.postgres.url, 'SELECT 7 AS n')).toEqual([{ n: 7 }])
    } finally {
      delete process.env['PGSSLMODE']
    }
  })

  it('tells at once where its passwords are not those of its data', async () => {
    const options = { dataDir, postgres: true, environment: 'ignore' } as const
    await (await startStack(options)).close()
    rmSync(join(dataDir, 'secrets.json'))
    await expect(startStack(options)).rejects.toMatchObject({
      code: 'start_failed',
      cause: { code: '28P01' },
    })
  })

  it('is emptied by clean, which removes nothing else', async () => {
    const options = { dataDir, redis: true, environment: 'ignore' } as const
    const first = await startStack(options)
    const { url } = first.redis
    await first.close()
    const foreign = join(dataDir, 'foreign')
    await runOk('sh', ['-c', `echo mine > ${foreign}`])
    await using second = await startStack({ ...options, clean: true })
    expect(second.redis.url).not.toBe(url)
    expect(existsSync(foreign)).toBe(true)
  })

  it('is held by exactly one of several that start at once; the others say so', async () => {
    await using a = hold({ redis: true })
    await using b = hold({ redis: true })
    await using c = hold({ redis: true })
    const said = (await Promise.all([a, b, c].map(outcome))).map((line) => line.slice(0, 23)).toSorted()
    expect(said.slice(1)).toEqual(['refused already_running', 'refused already_running'])
    expect(said[0]).toMatch(/^ready/)
  })

  it('is taken over at once when its supervisor was killed, and what that had started ends', async () => {
    await using first = hold()
    const before = JSON.parse((await outcome(first)).slice(6)) as StackStatus
    await query(before.postgres!.url, 'CREATE TABLE kept AS SELECT 7 AS n')
    await first.kill('SIGKILL')
    expect(readStatus(dataDir).state).toBe('stopped')
    await using second = hold()
    const after = JSON.parse((await outcome(second)).slice(6)) as StackStatus
    expect(before.processes.map(({ pid }) => pid!).filter(isRunning)).toEqual([])
    expect(await query(after.postgres!.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }])
    await second.kill('SIGTERM')
  })

  it('has servers that end with a killed supervisor, also without a successor', async () => {
    await using first = hold()
    const { processes } = JSON.parse((await outcome(first)).slice(6)) as StackStatus
    const pids = processes.map(({ pid }) => pid!)
    await first.kill('SIGKILL')
    await until(() => !pids.some(isRunning))
  })

  it('may be removed while they run: all of it ends by itself, and harms no successor in its place', async () => {
    const stack = await startStack({ dataDir, redis: true, environment: 'ignore' })
    const pids = stack.inspect().processes.map(({ pid }) => pid!)
    rmSync(dataDir, { recursive: true })
    await using successor = await startStack({ dataDir, redis: true, environment: 'ignore' })
    await stack.closed
    expect(pids.filter(isRunning)).toEqual([])
    expect(readStatus(dataDir)).toEqual(successor.inspect())
    expect(readStatus(dataDir).state).toBe('running')
    expect(await redis(successor.redis.url, 'PING')).toBe('+PONG')
  })

  it('may be removed before they are asked to stop', async () => {
    const stack = await startStack({ dataDir, redis: true, environment: 'ignore' })
    const pids = stack.inspect().processes.map(({ pid }) => pid!)
    rmSync(dataDir, { recursive: true })
    await stack.close()
    expect(pids.filter(isRunning)).toEqual([])
    expect(existsSync(dataDir)).toBe(false)
  })

  it('has servers that are started again when they crash, which is counted', async () => {
    await using stack = await startStack({ dataDir, redis: true, environment: 'ignore' })
    const [before] = stack.inspect().processes
    process.kill(before!.pid!, 'SIGKILL')
    await until(
      () => readStatus(dataDir).processes[0]?.restarts === 1 && stack.inspect().processes[0]!.state === 'running',
    )
    expect(stack.inspect().processes[0]!.pid).not.toBe(before!.pid)
    expect(await redis(stack.redis.url, 'PING')).toBe('+PONG')
  })

  it('has servers on other ports where one is snatched between our look at it and their start', async () => {
    const snatcher = createServer().once('error', () => {})
    const portsFile = join(dataDir, 'ports.json')
    const watch = setInterval(() => {
      if (!existsSync(portsFile)) return
      clearInterval(watch)
      const { redis } = JSON.parse(readFileSync(portsFile, 'utf8')) as { redis: number }
      snatcher.listen(redis, '127.0.0.1')
    })
    const slowDir = mkdtempSync(join(tmpdir(), 'sluice-slow-'))
    const slowProgram = join(slowDir, 'redis-server')
    await runOk('sh', [
      '-c',
      `printf '#!/bin/sh\nsleep 0.3\nexec "%s" "$@"\n' "$2" > "$3" && chmod -R 755 "$1"`,
      'sh',
      slowDir,
      (await runOk('sh', ['-c', 'command -v redis-server'])).trim(),
      slowProgram,
    ])
    const path = process.env['PATH']
    process.env['PATH'] = `${slowDir}:${path}`
    try {
      await using stack = await startStack({ dataDir, redis: true, environment: 'ignore' })
      expect(snatcher.listening).toBe(true)
      expect(await redis(stack.redis.url, 'PING')).toBe('+PONG')
    } finally {
      process.env['PATH'] = path
      snatcher.close()
      rmSync(slowDir, { recursive: true })
    }
  })

  it('says how many brokers its data is of, where another number is wanted', async () => {
    const options = { dataDir, environment: 'ignore' } as const
    await (await startStack({ ...options, kafka: true })).close()
    await expect(startStack({ ...options, kafka: { brokers: 3 } })).rejects.toMatchObject({
      code: 'broker_count',
      holds: 1,
      wanted: 3,
    })
  })
})

/** Kafka's own tool for topics. */
async function topics(bootstrapServers: string, ...args: string[]): Promise<string> {
  const jvm = ['-XX:TieredStopAtLevel=1', '-cp', await kafkaToolsClassPath()]
  return runOk('java', [...jvm, 'org.apache.kafka.tools.TopicCommand', '--bootstrap-server', bootstrapServers, ...args])
}

async function query(url: string, statement: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(statement)).rows
  } finally {
    await client.end()
  }
}

/** The first line of the answer to a command, after the login. */
async function redis(url: string, command: string): Promise<string> {
  const { port, password } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  socket.write(`AUTH ${password}\r\n${command}\r\n`)
  let text = ''
  for await (const chunk of socket) {
    text += String(chunk)
    const [login = '', answer] = text.split('\r\n')
    if (login.startsWith('-')) return login
    if (answer) return answer
  }
  throw new Error(`Redis said ${text}`)
}

/** Whether a broker answers an ApiVersions request in time. */
async function answersKafka(port: number, timeoutMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from('0000000a0012000000000007ffff', 'hex')))
  socket.once('data', () => resolve(true)).once('error', () => resolve(false))
  const timer = setTimeout(() => resolve(false), timeoutMs)
  return promise.finally(() => {
    clearTimeout(timer)
    socket.destroy()
  })
}

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`)
}

it('a client reaches a secured Kafka by its clientOptions, and a plain one too', async () => {
  await using secured = await startStack({ kafka: { secure: true } })
  const { clientOptions } = secured.kafka
  expect(clientOptions).toMatchObject({
    sasl: { username: 'admin' },
    tls: { ca: expect.stringContaining('CERTIFICATE') },
  })
  await using kafka = new Kafka(clientOptions)
  expect(await kafka.admin().listTopics()).toEqual([])
  await using plain = await startStack({ kafka: true })
  expect(plain.kafka.clientOptions).toEqual({ brokers: [plain.kafka.bootstrapServers] })
})
