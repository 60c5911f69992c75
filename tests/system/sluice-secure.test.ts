import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Kafka, text, topic } from '@sluice/kafka'
import { type StackStatus, stopStack } from '@sluice/stack'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Ended, fromSource, run } from './support/child.ts'
import { kafkaTool } from './support/java.ts'
import { ProcessesSeen } from './support/processes-seen.ts'

const program = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))
const [node, source] = fromSource(program)
const folder = mkdtempSync(join(tmpdir(), 'sluice-secure-'))
const dataDir = join(folder, 'data')
const orders = topic('orders', { value: text })
let started: Ended
let settings: Record<string, string>
let seen: ProcessesSeen

const sluice = (...args: readonly string[]): Promise<Ended> => {
  const unset = ['KAFKA_BOOTSTRAP_SERVERS', 'DATABASE_URL', 'POSTGRES_HOST', 'REDIS_URL', 'REDIS_HOST']
  const env = { ...Object.fromEntries(unset.map((name) => [name, undefined])), SLUICE_DATA_DIR: dataDir }
  return run(node, [...source, ...args], { cwd: folder, env })
}

beforeAll(async () => {
  chmodSync(folder, 0o755)
  seen = new ProcessesSeen(dataDir)
  process.env['SLUICE_TEST_SECRET'] = 'hunter2'
  try {
    started = await sluice('up', '--secure')
  } finally {
    delete process.env['SLUICE_TEST_SECRET']
    seen.stop()
  }
  const { stdout } = await sluice('status', '--env')
  settings = Object.fromEntries(
    Array.from(stdout.matchAll(/^export (\w+)='(.*)'$/gm), ([, name, value]) => [name, value]),
  )
})

afterAll(async () => {
  await stopStack(dataDir)
  rmSync(folder, { recursive: true, force: true })
})

describe('a secured Kafka of the local stack', () => {
  test('says how it is reached, and its password to nobody who has not asked', async () => {
    expect(started).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/SASL_SSL, SCRAM-SHA-512, user admin, CA file/),
    })
    const password = settings['KAFKA_SASL_PASSWORD']
    expect(password).toMatch(/^[0-9a-f]{36}$/)
    const { stdout } = await sluice('status', '--json')
    expect((JSON.parse(stdout) as StackStatus).kafka?.security).toMatchObject({ username: 'admin' })
    const log = readFileSync(join(dataDir, 'logs', 'supervisor.log'), 'utf8')
    for (const shown of [started.stdout, started.stderr, stdout, log]) expect(shown).not.toContain(password)
  })

  test.runIf(process.platform === 'linux')(
    'shows no password in the list of processes, nor to what runs in a server',
    () => {
      const secrets = readFileSync(join(dataDir, 'secrets.json'), 'utf8')
      const passwords = Object.values(JSON.parse(secrets) as Record<string, string>)
      expect(seen.commands.some((command) => command.includes('@') && command.includes('java'))).toBe(true)
      const broker = seen.commands.find((command) => command.includes('kafka.Kafka'))
      expect(broker).toContain('-XX:+ExitOnOutOfMemoryError')
      for (const password of passwords) expect(seen.commands.filter((text) => text.includes(password))).toEqual([])
      // Redis writes over its own environment.
      expect([...seen.servers]).toEqual(expect.arrayContaining(['java', 'postgres']))
      for (const secret of [...passwords, 'hunter2']) expect(seen.serverEnvironments.join('\n')).not.toContain(secret)
      expect(statSync(join(dataDir, 'secrets.json')).mode & 0o777).toBe(0o600)
    },
  )

  test('is used by the commands without a word, and by whoever takes over its settings', async () => {
    expect(await sluice('topics', 'create', orders.name)).toMatchObject({ code: 0 })
    await using kafka = Kafka.fromEnv(settings)
    await using producer = await kafka.producer()
    await producer.send(orders, { value: 'one' })
    expect((await sluice('tail', orders.name, '--from', 'earliest')).stdout).toContain('one')
  })

  test('stays as it was made', async () => {
    expect(await sluice('up', '--secure')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('running already'),
    })
  })
})

describe('a user without permission', () => {
  const open = (): Kafka => Kafka.fromEnv({ ...settings, KAFKA_SASL_USERNAME: 'guest', KAFKA_SASL_PASSWORD: guest() })
  const guest = (): string =>
    (JSON.parse(readFileSync(join(dataDir, 'secrets.json'), 'utf8')) as { kafkaGuest: string }).kafkaGuest
  const refused = (apiError: string) => ({ code: 'broker_refused', retriable: false, apiError })

  async function acl(...args: string[]): Promise<void> {
    const config = join(folder, 'admin.properties')
    const login = `org.apache.kafka.common.security.scram.ScramLoginModule required username="admin" password="${settings['KAFKA_SASL_PASSWORD']}";`
    const lines = ['security.protocol=SASL_SSL', 'sasl.mechanism=SCRAM-SHA-512', `sasl.jaas.config=${login}`]
    const trust = ['ssl.truststore.type=PEM', `ssl.truststore.location=${settings['KAFKA_SSL_CA_LOCATION']}`]
    writeFileSync(config, [...lines, ...trust].join('\n'), { mode: 0o600 })
    const where = ['--bootstrap-server', settings['KAFKA_BOOTSTRAP_SERVERS'] ?? '', '--command-config', config]
    await kafkaTool('org.apache.kafka.tools.AclCommand', [...where, ...args])
  }

  test('is told so as an administrator', async () => {
    await using kafka = open()
    await expect(kafka.admin().createTopics([{ name: 'new' }])).rejects.toMatchObject(
      refused('TOPIC_AUTHORIZATION_FAILED'),
    )
    await expect(kafka.admin().offsets([orders.name])).rejects.toMatchObject(refused('TOPIC_AUTHORIZATION_FAILED'))
  })

  test('is told so as a producer', async () => {
    await using kafka = open()
    await expect(kafka.producer()).rejects.toMatchObject(refused('CLUSTER_AUTHORIZATION_FAILED'))
    await using plain = await kafka.producer({ idempotent: false })
    await expect(plain.send(orders, { value: 'x' })).rejects.toMatchObject({
      cause: refused('TOPIC_AUTHORIZATION_FAILED'),
    })
  })

  test('is told so as a consumer, and again when a permission is taken away, with nothing committed unhandled', async () => {
    await using kafka = open()
    const group = 'readers'
    const consume = async (handle: (value: string | null) => void): Promise<void> => {
      await using consumer = await kafka.consumer({ group, topics: [orders], reset: 'earliest', deadLetters: false })
      await consumer.run(({ value }) => handle(value))
    }
    await expect(consume(() => {})).rejects.toMatchObject({ cause: refused('GROUP_AUTHORIZATION_FAILED') })
    const who = ['--allow-principal', 'User:guest', '--operation', 'Read']
    await acl('--add', ...who, '--group', group, '--topic', orders.name)
    const seen: (string | null)[] = []
    const first = Promise.withResolvers<void>()
    const running = consume((value) => {
      seen.push(value)
      first.resolve()
    })
    const outcome = running.then(
      () => 'ended',
      (error: unknown) => error,
    )
    await Promise.race([first.promise, running])
    await acl('--remove', '--force', ...who, '--topic', orders.name)
    await using admin = Kafka.fromEnv(settings)
    await using producer = await admin.producer()
    await producer.send(orders, { value: 'two' })
    const error = (await outcome) as { code?: string; apiError?: string; cause?: { apiError?: string } }
    expect([error.apiError, error.cause?.apiError]).toContain('TOPIC_AUTHORIZATION_FAILED')
    // The broker asks once a request: a fetch that was waiting when the right was taken still brings what came.
    expect(['one', 'two'].slice(0, seen.length)).toEqual(seen)
    const committed = await admin.admin().committedOffsets(group)
    expect(committed.every(({ offset }) => offset <= seen.length)).toBe(true)
  })
})
