import { Kafka, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { freePort } from './support/holding-proxy.ts'
import { readTopic } from './support/read-topic.ts'
import { sluice as runSluice, type SluiceResult } from './support/sluice.ts'
import { TamperingProxy } from './support/tampering-proxy.ts'
import { until } from './support/until.ts'

const PRODUCE = 0
const END_TXN = 26

let stack: Stack
let proxy: TamperingProxy
let kafka: Kafka
/** By a second listener, whose address is the proxy's. */
let proxied: Kafka
const sluice = (...args: string[]): Promise<SluiceResult> => runSluice(stack.kafka.bootstrapServers, args)
const words = (name: string) => topic(name, { value: text })

beforeAll(async () => {
  const [proxyPort, behindPort] = [await freePort(), await freePort()]
  stack = await startStack({
    kafka: {
      properties: ({ port, controllerPort }) => ({
        listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort},PROXIED://127.0.0.1:${behindPort}`,
        'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${proxyPort}`,
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,PROXIED:PLAINTEXT',
        // As before Kafka 3.6: a leader takes what a transactional producer writes without asking its coordinator.
        'transaction.partition.verification.enable': false,
      }),
    },
  })
  proxy = await TamperingProxy.open(proxyPort, behindPort)
  kafka = new Kafka({ brokers: stack.kafka.bootstrapServers })
  proxied = new Kafka({ brokers: `127.0.0.1:${proxyPort}`, requestTimeoutMs: 2_000 })
})

afterAll(async () => {
  await kafka?.close()
  await proxied?.close({ timeoutMs: 1_000 })
  await proxy?.[Symbol.asyncDispose]()
  await stack?.close()
})

beforeEach(() => {
  proxy.tamperRequest = () => false
})

async function read(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await sluice(...args, '--json')
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout)
}

/** Writes a record in a transaction that is never ended, as by a producer that has lost its network. */
async function leaveOpen(id: string, name: string) {
  proxy.tamperRequest = (request) => request.readInt16BE(0) === END_TXN
  const producer = await proxied.transactionalProducer({ transactionalId: id, timeoutMs: 600_000 })
  const running = producer.run((transaction) => transaction.send(words(name), { value: `of ${id}`, partition: 0 }))
  const outcome = running.then(
    () => undefined,
    (error: unknown) => error,
  )
  const admin = kafka.admin()
  await until(async () => (await admin.openTransactions([name])).length > 0)
  await until(async () => (await admin.surveyTransactions()).unknown.length === 0)
  return { outcome }
}

/** Writes a record in a transaction that its coordinator does not hear of, as a broker or a client with a defect did. */
async function leaveHanging(id: string, name: string): Promise<void> {
  // Version 12 of Produce has the leader tell the coordinator; version 11 looks the same and leaves that to the client.
  proxy.tamperRequest = (request) => {
    if (request.readInt16BE(0) === PRODUCE && request.readInt16BE(2) === 12) request.writeInt16BE(11, 2)
    return false
  }
  await using producer = await proxied.transactionalProducer({ transactionalId: id })
  await expect(
    producer.run((transaction) => transaction.send(words(name), { value: 'hangs', partition: 0 })),
  ).rejects.toThrow(/INVALID_TXN_STATE|transaction/i)
  proxy.tamperRequest = () => false
}

async function create(name: string): Promise<void> {
  await kafka.admin().createTopics([{ name, partitions: 2 }])
}

describe('an open transaction', () => {
  test('is listed, described, and aborted only when told to execute the plan', async () => {
    await create('orders')
    const { outcome } = await leaveOpen('billing-1', 'orders')
    const { stdout } = await sluice('transactions', 'list')
    expect(stdout).toMatch(/^TRANSACTIONAL ID +STATE +OPEN FOR +PARTITIONS +PRODUCER +EPOCH +COORDINATOR\n/)
    expect(stdout).toMatch(/^billing-1 +Ongoing +00:00:\d\d +1 +\d+ +0 +1\n$/m)
    expect(await read('transactions', 'list', '--topic', 'orders')).toMatchObject([
      { topic: 'orders', partition: 0, startOffset: 0, transactionalId: 'billing-1', hanging: false },
    ])
    expect((await sluice('transactions', 'describe', 'billing-1')).stdout).toMatch(
      /^billing-1: Ongoing\nopen since .*\naborted after +00:10:00\n[^]*TOPIC +PARTITION\norders +0\n$/,
    )
    const plan = await sluice('transactions', 'abort', 'billing-1')
    expect(plan.stdout).toMatch(/^Plan: abort the transaction of billing-1, open for [^]*Nothing was changed\./)
    expect(await read('transactions', 'describe', 'billing-1')).toMatchObject([{ state: 'Ongoing' }])

    expect(await read('transactions', 'abort', 'billing-1', '--execute')).toMatchObject({
      plan: { transactionalId: 'billing-1', partitions: [{ topic: 'orders', partition: 0 }] },
      executed: true,
    })
    expect((await sluice('transactions', 'list', '--topic', 'orders')).stdout).toBe(
      'no transaction is open in orders\n',
    )
    expect((await sluice('tail', 'orders', '--from', 'earliest')).stdout).toBe('')
    expect((await sluice('transactions', 'abort', 'billing-1', '--execute')).stderr).toMatch(
      /transaction_not_open: no transaction of billing-1 is open/,
    )
    // Its producer learns of it when it is heard again.
    proxy.tamperRequest = () => false
    expect(await outcome).toBeInstanceOf(Error)
  })

  test('is found by its age and its state, and what is over only where all are asked for', async () => {
    await create('aged')
    await using producer = await kafka.transactionalProducer({ transactionalId: 'over' })
    await producer.run((transaction) => transaction.send(words('aged'), { value: 'x' }))
    await readTopic(kafka, words('aged'), 1)
    const idsOf = async (...args: string[]) =>
      ((await read('transactions', 'list', ...args)) as { transactionalId: string }[]).map((one) => one.transactionalId)
    expect(await idsOf()).not.toContain('over')
    expect(await idsOf('--all')).toContain('over')
    const { outcome } = await leaveOpen('young', 'aged')
    expect(await idsOf()).toEqual(['young'])
    expect(await idsOf('--min-age', '1h')).toEqual([])
    expect((await sluice('transactions', 'abort', 'young', '--execute')).code).toBe(0)
    proxy.tamperRequest = () => false
    await outcome
  })
})

describe('a hanging transaction', () => {
  test('is told from one that its coordinator knows, and aborted by where it begins', async () => {
    await create('stuck')
    await leaveHanging('defect', 'stuck')
    expect(await read('transactions', 'list', '--topic', 'stuck')).toMatchObject([
      { topic: 'stuck', partition: 0, startOffset: 0, transactionalId: null, hanging: true },
    ])
    const listed = (await sluice('transactions', 'list', '-t', 'stuck')).stdout
    expect(listed).toMatch(/^stuck +0 +0 .* none: it hangs$/m)
    expect(listed).toContain('`sluice transactions abort --topic stuck --partition 0 --start-offset 0`')
    // Committed records behind it are held back.
    await using plain = await kafka.producer()
    await plain.send(words('stuck'), { value: 'behind', partition: 0 })
    expect((await sluice('tail', 'stuck', '--from', 'earliest', '--raw')).stdout).toBe('')

    const place = ['--topic', 'stuck', '--partition', '0', '--start-offset', '0']
    expect((await sluice('transactions', 'abort', ...place)).stdout).toContain('Nothing was changed.')
    expect((await sluice('transactions', 'abort', ...place, '--execute')).code).toBe(0)
    expect(await read('transactions', 'list', '--topic', 'stuck')).toEqual([])
    expect((await sluice('tail', 'stuck', '--from', 'earliest', '--raw')).stdout).toBe('behind\n')
  })

  test('is not what a coordinator knows, and not where nothing begins', async () => {
    await create('owned')
    const { outcome } = await leaveOpen('owner', 'owned')
    const abort = ['transactions', 'abort', '--topic', 'owned', '--execute', '--partition']
    expect((await sluice(...abort, '0', '--start-offset', '0')).stderr).toContain(
      'transaction_not_hanging: owner has this transaction: it does not hang - `sluice transactions abort owner`',
    )
    expect((await sluice(...abort, '1', '--start-offset', '7')).stderr).toContain(
      'transaction_unknown: no open transaction begins at owned/1 at 7',
    )
    expect((await sluice('transactions', 'abort', 'owner', '--execute')).code).toBe(0)
    proxy.tamperRequest = () => false
    await outcome
  })
})

test('an id that is not there is named with the nearest, and is not made by asking', async () => {
  await using producer = await kafka.transactionalProducer({ transactionalId: 'payments' })
  await producer.run(() => undefined)
  expect((await sluice('transactions', 'describe', 'paymnts')).stderr).toContain(
    'transaction_unknown: there is no transactional id paymnts - did you mean payments?',
  )
  expect((await sluice('transactions', 'abort', 'paymnts', '--execute')).code).toBe(1)
  await expect(kafka.admin().fenceProducer('paymnts')).rejects.toMatchObject({ apiError: 'TRANSACTIONAL_ID_NOT_FOUND' })
  expect((await sluice('transactions', 'list', '--all')).stdout).not.toContain('paymnts')
})

test('what to abort has to be clear', async () => {
  for (const args of [[], ['a', '--topic', 't'], ['--topic', 't', '--partition', '0']]) {
    expect((await sluice('transactions', 'abort', ...args)).code).toBe(2)
  }
  expect((await sluice('transactions', 'list', '--topic', 't', '--all')).code).toBe(2)
})
