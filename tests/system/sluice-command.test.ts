import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type StackStatus, readStatus, stopStack } from '@sluice/stack'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Ended, fromSource, run } from './support/child.ts'

const program = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const [node, source] = fromSource(program)
let project: string
let dataDir: string

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'sluice-project-'))
  // As root the servers run as somebody else, and a private project would have its data elsewhere.
  chmodSync(project, 0o755)
  dataDir = join(project, 'data')
})
afterAll(async () => {
  await stopStack(dataDir)
  rmSync(project, { recursive: true, force: true })
})

/** The servers of whoever runs the tests are none of ours. */
const noServers = Object.fromEntries(
  ['KAFKA_BOOTSTRAP_SERVERS', 'DATABASE_URL', 'POSTGRES_HOST', 'REDIS_URL', 'REDIS_HOST'].map((name) => [
    name,
    undefined,
  ]),
)
const sluice = (args: readonly string[], env: Record<string, string | undefined> = {}): Promise<Ended> =>
  run(node, [...source, ...args], { cwd: project, env: { ...noServers, SLUICE_DATA_DIR: dataDir, ...env } })

async function status(): Promise<StackStatus> {
  const { code, stdout } = await sluice(['status', '--json'])
  expect(code).toBe(0)
  return JSON.parse(stdout) as StackStatus
}

describe('sluice up, status, logs and down', () => {
  it('knows of nothing before the first start', async () => {
    expect(await status()).toEqual({
      state: 'stopped',
      dataDir,
      kafka: null,
      postgres: null,
      redis: null,
      console: null,
      processes: [],
    })
    expect(await sluice(['down'])).toMatchObject({ code: 0, stdout: 'nothing ran' })
  })

  it('starts on other ports where the usual ones are taken, and says where', async () => {
    using _kafka = await listen(9092)
    using _postgres = await listen(5432)
    using _redis = await listen(6379)
    const { code, stdout, stderr } = await sluice(['up'])
    expect(code, stderr).toBe(0)
    expect(stderr).toContain('starting Kafka')
    const { state, kafka, postgres, redis, processes } = await status()
    expect(state).toBe('running')
    expect(stdout).toContain(kafka!.bootstrapServers)
    const ports = [kafka!.bootstrapServers.split(':')[1], new URL(postgres!.url).port, new URL(redis!.url).port].map(
      Number,
    )
    expect(ports.filter((port) => [9092, 5432, 6379].includes(port))).toEqual([])
    expect(processes.map(({ name, state, restarts }) => `${name} ${state} ${restarts}`).toSorted()).toEqual([
      'kafka-1 running 0',
      'postgres running 0',
      'redis running 0',
    ])
  })

  it('shows no password to people', async () => {
    const password = new URL((await status()).redis!.url).password
    expect(password).not.toBe('')
    for (const command of [['status'], ['up']]) expect((await sluice(command)).stdout).not.toContain(password)
  })

  it('gives a shell what applications need, with passwords', async () => {
    const { postgres, redis, kafka } = await status()
    const { stdout } = await sluice(['status', '--env'])
    const script = `${stdout}\nprintf '%s\\n' "$KAFKA_BOOTSTRAP_SERVERS" "$DATABASE_URL" "$REDIS_URL"`
    const read = await run('sh', ['-c', script], { env: noServers })
    expect(read.stdout.split('\n')).toEqual([kafka!.bootstrapServers, postgres!.url, redis!.url])
  })

  it('starts nothing twice, and says when something else is asked for than what runs', async () => {
    const before = await status()
    expect(await sluice(['up'])).toMatchObject({ code: 0, stdout: expect.stringContaining('running already') })
    expect(await status()).toEqual(before)
    expect(await sluice(['up', '--brokers', '3'])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^sluice: already_running: .*1 broker.*sluice down\n$/),
    })
    expect((await sluice(['up', '--foreground'])).stderr).toMatch(/^sluice: already_running: process \d+ /)
  })

  it('shows logs, and does not mind a reader that goes away', async () => {
    expect((await sluice(['logs'])).stdout.split('\n')).toEqual(['kafka-1', 'postgres', 'redis', 'supervisor'])
    expect((await sluice(['logs', 'kafka-1', '-n', '5000'])).stdout).toContain('Kafka Server started')
    expect(await sluice(['logs', 'nothing'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('choose one of kafka-1'),
    })
    const reader = await run(
      'sh',
      ['-c', `"$0" "$@" | head -1`, node, ...source, 'logs', 'kafka-1', '-f', '-n', '5000'],
      {
        env: { SLUICE_DATA_DIR: dataDir },
        timeoutMs: 20_000,
      },
    )
    expect(reader).toMatchObject({ code: 0, stderr: '' })
  })

  it('takes over when the supervisor was killed, with the data as it was', async () => {
    const before = await status()
    await query(before.postgres!.url, 'CREATE TABLE kept AS SELECT 7 AS n')
    process.kill(await supervisorPid(), 'SIGKILL')
    expect((await sluice(['up'])).code).toBe(0)
    const after = await status()
    expect(after).toMatchObject({
      state: 'running',
      kafka: before.kafka,
      postgres: before.postgres,
      redis: before.redis,
    })
    expect(before.processes.filter(({ pid }) => existsSync(`/proc/${pid}`))).toEqual([])
    expect(await query(after.postgres!.url, 'SELECT n FROM kept')).toEqual([{ n: 7 }])
  })

  it('ends everything, keeps the data, and removes it when asked', async () => {
    const { processes } = await status()
    expect(await sluice(['down'])).toMatchObject({ code: 0, stdout: 'stopped' })
    expect(processes.filter(({ pid }) => existsSync(`/proc/${pid}`))).toEqual([])
    expect(existsSync(join(dataDir, 'postgres', 'data'))).toBe(true)
    expect((await sluice(['down', '--clean'])).code).toBe(0)
    expect(existsSync(join(dataDir, 'postgres'))).toBe(false)
  })

  it('started twice at once starts one set of servers, which both end up with', async () => {
    const both = await Promise.all([sluice(['up']), sluice(['up'])])
    expect(both.map(({ code, stderr }) => (code === 0 ? 'well' : stderr))).toEqual(['well', 'well'])
    const { kafka } = await status()
    for (const { stdout } of both) expect(stdout).toContain(kafka!.bootstrapServers)
    expect(both.filter(({ stdout }) => stdout.includes('running already'))).toHaveLength(1)
    await sluice(['down', '--clean'])
  })

  it('is ended by Ctrl-C while it starts, and leaves nothing running', async () => {
    const child = spawn(node, [...source, 'up'], {
      env: { ...process.env, SLUICE_DATA_DIR: dataDir },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    await once(child.stderr, 'data')
    const ended = once(child, 'exit')
    child.kill('SIGINT')
    expect(await ended).toEqual([130, null])
    expect(readStatus(dataDir).state).toBe('stopped')
    expect((await sluice(['down'])).stdout).toBe('nothing ran')
  })
})

describe('an error', () => {
  it('is one line that says what to do, where Java is missing', async () => {
    const { code, stderr } = await sluice(['up'], { PATH: '/nowhere', JAVA_HOME: undefined })
    expect(code).toBe(1)
    expect(stderr.split('\n').filter((line) => line.startsWith('sluice:'))).toEqual([
      expect.stringMatching(/^sluice: java_missing: Kafka needs Java 17 .* - install one \(/),
    ])
  })

  it.each([
    ['KAFKA_BOOTSTRAP_SERVERS', 'localhost:notaport'],
    ['DATABASE_URL', 'not an address'],
    ['POSTGRES_HOST', '127.0.0.1'],
    ['REDIS_URL', 'redis://127.0.0.1:1'],
  ])('names the variable, where %s is wrong', async (name, value) => {
    const { code, stderr } = await sluice(['up'], { [name]: value, POSTGRES_PORT: '1' })
    expect(code).toBe(1)
    expect(stderr.trim().split('\n').at(-1)).toMatch(
      new RegExp(`^sluice: (environment_invalid|server_unreachable): .*${name}`),
    )
  })

  it.each([[['nonsense']], [['up', '--brokers', '0']], [['up', '--nonsense']], [['logs', 'a', '-n', 'many']]])(
    'in the command line ends with code 2: %s',
    async (args) => {
      expect((await sluice(args)).code).toBe(2)
    },
  )
})

describe('sluice doctor', () => {
  it('checks everything that a start needs', async () => {
    const { code, stdout } = await sluice(['doctor', '--json'])
    expect(code).toBe(0)
    const names = (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name)
    expect(names).toEqual(
      expect.arrayContaining(['Node.js', 'Java', 'Maven', 'PostgreSQL', 'Redis', 'port 9092', 'disk']),
    )
  })

  it('says what is missing and fails', async () => {
    const { code, stdout } = await sluice(['doctor'], { PATH: '/nowhere', JAVA_HOME: undefined })
    expect(code).toBe(1)
    expect(stdout).toMatch(/^MISSING +Java .* - install one/m)
  })
})

/** Takes a port, where nobody has it already. */
async function listen(port: number): Promise<Disposable> {
  const server = createServer()
  const { promise, resolve } = Promise.withResolvers<void>()
  server.once('error', () => resolve())
  server.listen(port, '127.0.0.1', resolve)
  await promise
  return { [Symbol.dispose]: () => void server.close() }
}

/** Who holds the data folder: told by the second that wants it. */
async function supervisorPid(): Promise<number> {
  const { stderr } = await sluice(['up', '--foreground'])
  return Number(/process (\d+) /.exec(stderr)?.[1])
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
