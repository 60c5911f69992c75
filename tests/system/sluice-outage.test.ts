import { fileURLToPath } from 'node:url'
import { Kafka, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { fromSource, run } from './support/child.ts'
import { freeze } from './support/freeze.ts'
import { freePort } from './support/holding-proxy.ts'
import { kafkaToolBeside } from './support/java.ts'
import { sluice as runSluice, type SluiceResult } from './support/sluice.ts'

// What `npm run chaos -- outage` tries with three brokers, as far as one is enough.
const lost = 'kafka-0.kafka-headless.prod.svc.invalid'
const hanging = fileURLToPath(new URL('../chaos/programs/hanging-transaction.ts', import.meta.url))

let stack: Stack
let kafka: Kafka
/** A listener that the cluster advertises under a name that nobody can resolve. */
let lostPort: number
const sluice = (...args: string[]): Promise<SluiceResult> => runSluice(stack.kafka.bootstrapServers, args)

beforeAll(async () => {
  lostPort = await freePort()
  const properties = ({ port, controllerPort }: { port: number; controllerPort: number }) => ({
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort},LOST://127.0.0.1:${lostPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},LOST://${lost}:${lostPort}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOST:PLAINTEXT',
  })
  stack = await startStack({ kafka: { properties } })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'outage' })
  const names = ['orders', 'held', 'goes']
  await kafka.admin().createTopics(names.map((name) => ({ name, partitions: 1 })))
  await kafka.admin().alterOffsets('readers', [
    { topic: 'held', partition: 0, offset: 0 },
    { topic: 'orders', partition: 0, offset: 0 },
  ])
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
})

test('an address that the cluster advertises and nobody resolves is named, beside what is known', async () => {
  const answers = await Promise.all(
    [
      ['topics', 'list'],
      ['groups', 'list'],
      ['lag', 'readers', '--fail-above', '0'],
      ['tail', 'orders'],
    ].map((args) => runSluice(`127.0.0.1:${lostPort}`, args)),
  )
  for (const { code, stdout, stderr } of answers) {
    expect(code).toBe(4)
    expect(`${stdout}${stderr}`).toMatch(new RegExp(`not known: .*${lost}.*advertised\\.listeners`))
  }
  expect(answers[0]!.stdout).toMatch(/^orders +1 +1 +-$/m)
})

test('records that a hanging transaction holds back raise the alarm, and are told to a reader', async () => {
  await run(...fromSource(hanging, [stack.kafka.bootstrapServers, 'held'])).catch(() => undefined)
  await using producer = await kafka.producer()
  const held = topic('held', { value: text })
  await Promise.all(Array.from({ length: 20 }, (_, n) => producer.send(held, { value: `${n}` })))
  const { stdout } = await sluice('lag', 'readers')
  expect(stdout).toMatch(/^TOPIC +PARTITION +COMMITTED +END +LAG +HELD +MEMBER +HOST\nheld +0 +0 +21 +21 +21 +- +-$/m)
  expect(stdout).toContain('HELD: an open transaction holds records of held/0 back')
  expect((await sluice('lag', '--fail-above', '20')).code).toBe(3)
  const tailed = await sluice('tail', 'held')
  expect(tailed).toMatchObject({ code: 0, stdout: '' })
  expect(tailed.stderr).toContain('held/0: an open transaction holds 21 records back; --uncommitted shows them')
})

test('lag counts what is in the log: not what was deleted before anybody read it', async () => {
  await using producer = await kafka.producer()
  const orders = topic('orders', { value: text })
  for (let n = 0; n < 20; n++) await producer.send(orders, { value: `${n}` })
  await kafka.admin().deleteRecords([{ topic: 'orders', partition: 0, offset: 15 }])
  expect(await kafka.admin().lag('readers')).toMatchObject([{ topic: 'held' }, { committed: 0, start: 15, lag: 5 }])
})

test('a share group is called one, wherever a consumer group is asked for', async () => {
  const args = ['--bootstrap-server', stack.kafka.bootstrapServers, '--topic', 'orders', '--group', 'sharers']
  await using member = await kafkaToolBeside('org.apache.kafka.tools.consumer.ConsoleShareConsumer', args)
  await vi.waitFor(
    async () => expect((await sluice('groups', 'list')).stdout).toMatch(/^sharers +Stable +share$/m),
    60_000,
  )
  for (const command of [
    ['groups', 'describe', 'sharers'],
    ['lag', 'sharers'],
    ['groups', 'reset', 'sharers', '--to', 'earliest', '--topic', 'orders'],
    ['groups', 'delete', 'sharers'],
  ]) {
    expect(await sluice(...command)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('sharers is a share group; this command is for consumer groups'),
    })
  }
  const { code, stdout } = await sluice('lag')
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^left out: 1 share group \(sharers\)$/m)])
  await member.kill()
})

test('where the only broker is frozen, every command says so in its time', async () => {
  await freeze(stack)
  try {
    const env = { KAFKA_CONNECT_TIMEOUT_MS: '1000' }
    for (const args of [
      ['topics', 'list'],
      ['lag', '--fail-above', '1'],
      ['tail', 'orders'],
      ['produce', 'orders'],
    ]) {
      const startedMs = performance.now()
      const { code, stderr } = await runSluice(stack.kafka.bootstrapServers, args, env)
      expect([args, code]).toEqual([args, 1])
      expect(stderr).toMatch(/sluice: connection_failed: .* did not answer within 1000 ms/)
      expect(performance.now() - startedMs).toBeLessThan(8_000)
    }
  } finally {
    stack.kafka.resume(1)
  }
})
