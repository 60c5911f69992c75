import { type FoundLetter, Kafka, bytes, text, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { readTopic } from './support/read-topic.ts'
import { sluice as runSluice, type SluiceResult } from './support/sluice.ts'

let stack: Stack
let kafka: Kafka
const sluice = (...args: string[]): Promise<SluiceResult> => runSluice(stack.kafka.bootstrapServers, args)
const read = async (...args: string[]): Promise<unknown> => JSON.parse((await sluice(...args, '--json')).stdout)

beforeAll(async () => {
  stack = await startStack({ kafka: true })
  kafka = new Kafka({ brokers: stack.kafka.bootstrapServers.split(',') })
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
})

const patience = { timeout: 60_000, interval: 20 }
const texts = (name: string) => topic(name, { key: text, value: text })

/** A topic of two partitions whose handler fails for values that begin with `bad`, by a class of their own. */
async function failSome(name: string, values: readonly string[]): Promise<void> {
  await kafka.admin().createTopics([{ name, partitions: 2 }])
  await using producer = await kafka.producer()
  for (const [index, value] of values.entries()) {
    await producer.send(texts(name), {
      key: `k${index % 2}`,
      value,
      partition: index % 2,
      headers: { 'trace-id': 'abc' },
    })
  }
  await handle(name, values.length, (value) => {
    if (value.startsWith('bad type')) throw new TypeError(value)
    if (value.startsWith('bad')) throw new RangeError(value)
  })
}

/** Handles so many records of the topic as its one group; what fails becomes a dead letter at once. */
async function handle(name: string, count: number, handler: (value: string) => void): Promise<string[]> {
  const seen: string[] = []
  let left = count
  const ended = (): void => {
    if (--left === 0) void consumer.close()
  }
  await using consumer = await kafka.consumer({
    group: `of-${name}`,
    topics: [texts(name)],
    reset: 'earliest',
    retry: { attempts: 1 },
  })
  consumer.on('deadLettered', ended)
  await consumer.run(({ value }) => {
    seen.push(value!)
    handler(value!)
    ended()
  })
  return seen
}

const values = ['good', 'bad type 1', 'bad range 1', 'bad type 2', 'good too', 'bad type 3']

describe('sluice dlq', () => {
  test('lists which topics have letters, then the letters of one, and those of a kind of error', async () => {
    await failSome('orders', values)
    expect((await sluice('dlq', 'list')).stdout).toBe('TOPIC       LETTERS\norders.dlq        4\n')
    const { stdout } = await sluice('dlq', 'list', 'orders')
    expect(stdout).toMatch(/^LETTER +FAILED AT +FROM +GROUP +ATTEMPTS +STAGE +ERROR\n/)
    expect(stdout).toMatch(/orders\/1 at 0 +of-orders +1 +handler +TypeError: bad type 1\n/)
    const ranged = await read('dlq', 'list', 'orders.dlq', '--error', 'RANGEerror')
    expect(ranged).toMatchObject([
      { letter: { topic: 'orders', partition: 0, offset: 1, errorMessage: 'bad range 1' } },
    ])
    expect(await read('dlq', 'list', 'orders', '--group', 'another')).toEqual([])
  })

  test('shows one, and says where there is none', async () => {
    const [first] = (await read('dlq', 'list', 'orders')) as { partition: number; offset: number }[]
    const { stdout } = await sluice('dlq', 'show', 'orders', `${first!.partition}:${first!.offset}`)
    expect(stdout).toMatch(/^from +orders\/\d at \d+\n/)
    expect(stdout).toMatch(/\n {2}trace-id +abc\n/)
    expect(await sluice('dlq', 'show', 'orders', '1:77')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('letter_unknown: orders.dlq has no letter 1:77'),
    })
    expect(await sluice('dlq', 'list', 'ordres')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('letters_none: there is no topic ordres.dlq - there are those of orders.dlq'),
    })
  })

  test('replays a part only when it is told to, then the rest, and purges to zero', async () => {
    const alone = await sluice('dlq', 'replay', 'orders', '--error', 'TypeError')
    expect(alone.stdout).toContain('Plan: send 0 letters of orders.dlq back')
    expect(alone.stdout).toContain('3 failed in a group that reads no retry topic')
    const planned = await sluice('dlq', 'replay', 'orders', '--error', 'TypeError', '--to-origin')
    expect(planned.stdout).toContain('every group that reads orders sees them again')
    expect(planned.stdout).toContain('Plan: send 3 letters of orders.dlq back')
    expect(planned.stdout).toContain('Nothing was changed. Add --execute to do it.')
    expect(await read('topics', 'list')).toContainEqual(
      expect.objectContaining({ name: 'orders', partitions: 2, replicas: 1, records: 6 }),
    )
    expect(await read('dlq', 'replay', 'orders', '--error', 'TypeError', '--to-origin', '--execute')).toMatchObject({
      executed: true,
      plan: { replayed: 3, filtered: 1, to: [{ topic: 'orders', letters: 3 }] },
    })
    const replayed = (await readTopic(kafka, texts('orders'), 9)).filter(({ headers }) =>
      headers.get('sluice-replay-count'),
    )
    expect(replayed.map(({ key, value }) => [key, value])).toEqual([
      ['k1', 'bad type 1'],
      ['k1', 'bad type 2'],
      ['k1', 'bad type 3'],
    ])
    const [{ headers }] = replayed as [(typeof replayed)[number]]
    expect([...headers].map(([name]) => name)).toEqual([
      'trace-id',
      'timestamp',
      'sluice-original-timestamp',
      'sluice-replay-count',
    ])
    expect(headers.get('sluice-replay-count')).toBe('1')

    // They fail once more: what is known of it says that it is not the first time.
    await handle('orders', 3, (value) => {
      if (value === 'bad type 2') throw new Error('again')
    })
    expect(await read('dlq', 'list', 'orders', '--error', 'again')).toMatchObject([{ letter: { replays: 1 } }])

    await sluice('dlq', 'purge', 'orders', '--execute')
    expect(await read('dlq', 'list')).toEqual([{ topic: 'orders.dlq', letters: 0 }])
    expect(await sluice('dlq', 'replay', 'orders')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('0 letters'),
    })
  })

  test('shows an error as long as it is where nobody looks at a screen', async () => {
    const long = `bad type ${'x'.repeat(200)}`
    await failSome('long', [long])
    expect((await sluice('dlq', 'list', 'long')).stdout).toMatch(new RegExp(`TypeError: ${long}\n`))
  })

  test('bad arguments say what is expected, and change nothing', async () => {
    for (const [args, wanted] of [
      [['dlq', 'show', 'orders', 'first'], 'expected partition:offset'],
      [['dlq', 'replay', 'orders', '--to', 'a', '--to-origin'], 'exclude each other'],
      [['dlq', 'replay', 'orders', '--rate', '0'], 'a whole number from 1'],
      [['dlq', 'replay', 'orders', '--name', 'a b'], 'letters, digits'],
    ] as const) {
      const { code, stderr } = await sluice(...args)
      expect([code, stderr]).toEqual([2, expect.stringContaining(wanted)])
    }
  })
})

describe('a replay', () => {
  test('goes to the group that failed, and keeps the order of its keys while it runs', async () => {
    const name = 'waiting'
    await kafka.admin().createTopics([{ name, partitions: 2 }])
    await using producer = await kafka.producer()
    for (let n = 0; n < 40; n++) await producer.send(texts(name), { key: `k${n % 4}`, value: `bad ${n}` })
    const state = { isRepaired: false, seen: [] as string[] }
    await using consumer = await kafka.consumer({
      group: `of-${name}`,
      topics: [texts(name)],
      order: 'key',
      reset: 'earliest',
      retry: { attempts: 1, topicAfterMs: 1_000 },
    })
    let buried = 0
    consumer.on('deadLettered', () => buried++)
    const running = consumer.run(({ value, topic: from }) => {
      if (!state.isRepaired) throw new Error('not yet')
      state.seen.push(`${from} ${value}`)
    })
    await vi.waitUntil(() => buried === 40, patience)
    state.isRepaired = true
    const letters = kafka.deadLetters(name)
    expect(await letters.replay()).toMatchObject({ replayed: 40, to: { [`${name}.of-${name}.retry`]: 40 } })
    await vi.waitUntil(() => state.seen.length === 40, patience)
    // It poses as the record that it is from; the topic itself has nothing new.
    for (let key = 0; key < 4; key++) {
      const ofKey = Array.from({ length: 10 }, (_, index) => `${name} bad ${index * 4 + key}`)
      expect(state.seen.filter((one) => ofKey.includes(one))).toEqual(ofKey)
    }
    const ends = await kafka.admin().offsets([name])
    expect(ends.reduce((sum, { offset }) => sum + offset, 0)).toBe(40)
    // No key is thought to wait there any more: what comes now is handled in place.
    await producer.send(texts(name), { key: 'k1', value: 'good' })
    await vi.waitUntil(() => state.seen.length === 41, patience)
    const waiting = await kafka.admin().offsets([`${name}.of-${name}.retry`])
    expect(waiting.reduce((sum, { offset }) => sum + offset, 0)).toBe(40)
    await consumer.close()
    await running
  })

  test('of a name goes on where it has stopped, in order; at most as fast as asked', async () => {
    const many = Array.from({ length: 30 }, (_, index) => `bad ${index}`)
    await failSome('named', many)
    const letters = kafka.deadLetters('named')
    const startedMs = performance.now()
    const first = await letters.replay({ to: 'origin', name: 'repair', limit: 11, ratePerSecond: 100 })
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(95)
    const second = await letters.replay({ to: 'origin', name: 'repair' })
    const third = await letters.replay({ to: 'origin', name: 'repair' })
    expect([first.replayed, second.replayed, third.replayed]).toEqual([11, 19, 0])
    const records = await readTopic(kafka, texts('named'), 60)
    for (const partition of [0, 1]) {
      const replayed = records.filter((one) => one.partition === partition && one.headers.get('sluice-replay-count'))
      expect(replayed.map(({ value }) => value)).toEqual(many.filter((_, index) => index % 2 === partition))
    }
    await letters.purge(second.positions)
    expect(await Array.fromAsync(letters.list())).toEqual([])
  })

  test('leaves what may be in its topic already, and what says nothing of where it is from', async () => {
    await kafka.admin().createTopics([
      { name: 'doubt', partitions: 1 },
      { name: 'doubt.dlq', partitions: 1 },
    ])
    await using producer = await kafka.producer()
    const raw = topic('doubt.dlq', { key: text, value: bytes })
    const unknown = { 'original-topic': 'doubt', 'delivery-outcome': 'unknown' }
    await producer.send(raw, { value: Buffer.from('maybe'), headers: unknown })
    await producer.send(raw, { value: Buffer.from('whence') })
    await producer.send(raw, { value: Buffer.from('surely'), headers: { 'original-topic': 'doubt' } })
    const letters = kafka.deadLetters('doubt')
    const isSure = ({ record }: FoundLetter): boolean => String(record.value) !== 'whence'
    expect(await letters.replay({ dryRun: true })).toMatchObject({ replayed: 1, unknown: 1, unreadable: 1 })
    expect(await letters.replay({ includeUnknown: true, where: isSure })).toMatchObject({ replayed: 2, filtered: 1 })
    const sent = await readTopic(kafka, texts('doubt'), 2)
    expect(sent.map(({ value }) => value)).toEqual(['maybe', 'surely'])
  })

  test('passes over what cannot be sent, and sends the others of its name once', async () => {
    await kafka.admin().createTopics(
      ['picky', 'picky.dlq', 'elsewhere'].map((name) => ({
        name,
        partitions: 1,
        ...(name === 'picky' && { configs: { 'cleanup.policy': 'compact' } }),
      })),
    )
    await using producer = await kafka.producer()
    const raw = topic('picky.dlq', { key: text, value: bytes })
    const letter = (value: string, from = 'picky', key: string | null = 'k') =>
      producer.send(raw, { key: key!, value: Buffer.from(value), headers: { 'original-topic': from } })
    await letter('a')
    await letter('without a key', 'picky', null)
    await letter('b')
    await letter('of another topic', 'elsewhere')
    await letter('of one that is gone', 'gone')
    await letter('c', 'constructor')
    await letter('d')
    const letters = kafka.deadLetters('picky')
    const first = await letters.replay({ to: 'origin', name: 'fix' })
    expect(first).toMatchObject({ replayed: 3, failed: 1, foreign: 3, to: { picky: 3 } })
    expect(first.failures).toEqual([
      { partition: 0, offset: 1, topic: 'picky', reason: expect.stringContaining('key') },
    ])
    expect(await letters.replay({ to: 'origin', name: 'fix' })).toMatchObject({ read: 0, replayed: 0 })
    expect(await letters.replay({ toTopic: 'elsewhere' })).toMatchObject({ replayed: 7, to: { elsewhere: 7 } })
    expect(await letters.replay({ toTopic: 'gone' })).toMatchObject({ replayed: 0, failed: 7 })
    const { stdout } = await sluice('dlq', 'replay', 'picky', '--to-origin')
    expect(stdout).toContain('3 say that they are from another topic')
    const { code, stderr } = await sluice('dlq', 'replay', 'picky', '--to-origin', '--execute')
    expect([code, stderr]).toEqual([1, expect.stringContaining('1 letter of picky.dlq could not be sent: 0:1')])
    expect((await readTopic(kafka, texts('picky'), 6)).map(({ value }) => value)).toEqual('abdabd'.split(''))
  })
})
