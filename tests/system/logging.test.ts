import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, type Logger, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { until } from './support/until.ts'

let stack: Stack
const warnings: { readonly code: string; readonly message: string; readonly atMs: number }[] = []
const onWarning = (warning: Error & { code?: string }): void => {
  warnings.push({ code: warning.code ?? '', message: warning.message, atMs: performance.now() })
}

beforeAll(async () => {
  stack = await startStack({ kafka: true })
  process.on('warning', onWarning)
})

afterAll(async () => {
  process.off('warning', onWarning)
  await stack?.close()
})

let kafka: Kafka
beforeEach(() => {
  warnings.length = 0
  kafka = new Kafka({ brokers: stack.kafka.bootstrapServers })
})
afterEach(() => kafka.close())

const said = (code: string) => warnings.filter((warning) => warning.code === code)

async function filled(name: string, records: number) {
  const target = topic(name, { value: text })
  await kafka.admin().createTopics([{ name, partitions: 1 }])
  await using producer = await kafka.producer()
  await Promise.all(Array.from({ length: records }, (_, n) => producer.send(target, { value: `${n}` })))
  return target
}

describe('where nobody listens, a process warning says', () => {
  test('that a handler fails for good: within a second of the first dead letter, and once', async () => {
    const orders = await filled('handler-throws', 5)
    const consumer = await kafka.consumer({ group: 'billing', topics: [orders], reset: 'earliest' })
    void consumer.run(() => {
      throw new TypeError('bug in my handler')
    })
    await until(() => consumer.inspect().deadLetters.written > 0)
    const atMs = performance.now()
    await until(() => said('SLUICE_DEAD_LETTERED').length > 0)
    expect(said('SLUICE_DEAD_LETTERED')[0]!.atMs - atMs).toBeLessThan(1_000)
    await until(() => consumer.inspect().deadLetters.written === 5)
    expect(said('SLUICE_DEAD_LETTERED')).toHaveLength(1)
    const { message } = said('SLUICE_DEAD_LETTERED')[0]!
    expect(message).toMatch(/^group billing: handler-throws\/0 at offset 0: failed for good after 3 attempts/)
    expect(message).toContain('handler-throws.dlq: TypeError: bug in my handler')
  })

  test('that a topic does not exist, and how to create it; then it is read', async () => {
    const late = topic('comes-late', { value: text })
    const seen: string[] = []
    const consumer = await kafka.consumer({ group: 'early', topics: [late] })
    void consumer.run(({ value }) => void seen.push(value!))
    await until(() => said('SLUICE_TOPIC_MISSING').length > 0)
    expect(said('SLUICE_TOPIC_MISSING')[0]!.message).toContain('sluice topics create comes-late')
    await filled('comes-late', 1)
    await until(() => seen.length === 1)
  })

  test('that a new group passes over what was written before, unless `reset` is set', async () => {
    const orders = await filled('written-before', 7)
    const consumer = await kafka.consumer({ group: 'late', topics: [orders] })
    void consumer.run(() => undefined)
    await until(() => said('SLUICE_STARTED_AT_END').length > 0)
    expect(said('SLUICE_STARTED_AT_END')[0]!.message).toContain('written-before holds 7 records')
    warnings.length = 0
    const chosen = await kafka.consumer({ group: 'late-by-choice', topics: [orders], reset: 'latest' })
    const assigned = new Promise((resolve) => chosen.on('assigned', resolve))
    void chosen.run(() => undefined)
    await assigned
    await sleep(200)
    expect(said('SLUICE_STARTED_AT_END')).toEqual([])
  })

  test('that a pipe has ended, where nobody asked for `done`', async () => {
    const from = await filled('pipe-in', 1)
    const to = await filled('pipe-out', 0)
    const first = await kafka.pipe({ group: 'fenced', from, to, handler: () => null })
    const assigned = new Promise((resolve) => first.on('assigned', resolve))
    await assigned
    const second = await kafka.pipe({ group: 'fenced', from, to, handler: () => null })
    await filled('pipe-in-more', 0)
    await using producer = await kafka.producer()
    // Each writes when it has something to commit; the first one is fenced then.
    await until(async () => {
      await producer.send(from, { value: 'again' })
      return said('SLUICE_ENDED').length > 0 || first.inspect().state === 'closed'
    })
    expect(said('SLUICE_ENDED')[0]!.message).toContain('the pipe of fenced ended')
    await second.close()
  })
})

describe('a missing topic is an error within two seconds that says how to create it', () => {
  test.each(['producer', 'pipe', 'reader', 'transaction'] as const)('of a %s', async (part) => {
    const missing = topic('no-such-topic', { value: text })
    const startedMs = performance.now()
    const using = {
      producer: async () => (await kafka.producer()).send(missing, { value: 'v' }),
      pipe: async () => kafka.pipe({ group: 'g', from: missing, to: missing, handler: () => null }),
      reader: async () => kafka.reader({ topics: [missing] }),
      transaction: async () => {
        const producer = await kafka.transactionalProducer({ transactionalId: 't' })
        await producer.run((tx) => tx.send(missing, { value: 'v' }))
      },
    }
    const error: Error = await using[part]().then(
      () => expect.unreachable(),
      (thrown: unknown) => thrown as Error,
    )
    expect(performance.now() - startedMs).toBeLessThan(2_000)
    expect(error.message).toContain('no-such-topic')
    expect(error.message).toContain('create it with kafka.admin().createTopics or `sluice topics create no-such-topic`')
  })
})

describe('a listener that is not what was configured is named as such', () => {
  test.each([
    [{ sasl: { mechanism: 'PLAIN', username: 'u', password: 'p' } }, 'does not speak SASL on this listener'],
    [{ tls: {} }, 'does this listener speak TLS?'],
  ] as const)('%j', async (settings, message) => {
    await using wrong = new Kafka({ brokers: stack.kafka.bootstrapServers, ...settings })
    await expect(wrong.admin().listTopics({ timeoutMs: 10_000 })).rejects.toThrow(message)
  })
})

test('with a logger everything goes there, and nothing becomes a warning', async () => {
  const lines: { level: string; message: string; facts: Readonly<Record<string, unknown>> }[] = []
  const at = (level: string) => (facts: Readonly<Record<string, unknown>>, message: string) =>
    lines.push({ level, message, facts })
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
  await using logged = new Kafka({ brokers: stack.kafka.bootstrapServers, logger })
  const orders = await filled('logged', 2)
  const consumer = await logged.consumer({ group: 'logged', topics: [orders], reset: 'earliest' })
  void consumer.run(({ value }) => {
    if (value === '1') throw new RangeError('too much')
  })
  await until(() => lines.some(({ facts }) => facts['event'] === 'deadLettered'))
  await consumer.close()
  const byEvent = new Map(lines.map((line) => [line.facts['event'], line]))
  expect(byEvent.get('assigned')).toMatchObject({ level: 'info', facts: { group: 'logged', partitions: 1 } })
  expect(byEvent.get('handlerFailed')).toMatchObject({ level: 'warn', facts: { err: { message: 'too much' } } })
  expect(byEvent.get('deadLettered')).toMatchObject({ level: 'warn', facts: { topic: 'logged', offset: 1 } })
  expect(warnings).toEqual([])
})
