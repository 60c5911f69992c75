import { type Consumer, type ConsumerOptions, Kafka, bytes, readDeadLetter, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { readTopic } from './support/read-topic.ts'

let stack: Stack
let kafka: Kafka

beforeAll(async () => {
  stack = await startStack({ kafka: true })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'letters' })
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
})

const raw = (name: string) => topic(name, { key: bytes, value: bytes })
const sizes = { maxRecordBytes: 4_000_000, maxRequestBytes: 4_000_000 }
const anyTime = { 'message.timestamp.after.max.ms': '9223372036854775807' }
/** Compresses to three quarters, but not with lz4: a picture in JSON. */
const picture = (length: number): Buffer =>
  Buffer.from(JSON.stringify({ image: randomBytes(length).toString('base64') }))

interface Sent {
  readonly value: Buffer
  readonly key?: Buffer
  readonly timestampMs?: number
  readonly headers?: Record<string, string>
}

async function fill(
  name: string,
  records: readonly Sent[],
  {
    compression = 'none',
    configs = {},
  }: { compression?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'; configs?: Record<string, string> } = {},
): Promise<void> {
  await kafka.admin().createTopics([{ name, partitions: 1, configs }], { ifNotExists: true })
  await using producer = await kafka.producer({ ...sizes, compression, addHeaders: false, deadLetters: false })
  for (const record of records) await producer.send(raw(name), record)
}

const options = (name: string) => ({ group: `of-${name}`, reset: 'earliest', retry: { attempts: 1 } }) as const
const end: Sent = { value: Buffer.from('end') }
const isEnd = ({ value }: { readonly value: Buffer | null }): boolean => value?.toString() === 'end'

/** Every record fails, up to the one that says `end`. */
async function failAll(name: string, more: Partial<ConsumerOptions> = {}): Promise<void> {
  await using consumer = await kafka.consumer({ ...options(name), ...more, topics: [raw(name)] })
  await runFailing(consumer)
}

async function runFailing(consumer: Consumer<ReturnType<typeof raw>>): Promise<void> {
  await consumer.run((record) => {
    if (!isEnd(record)) throw new Error('no')
    void consumer.close()
  })
}

/** The same, in a pipe; returns how often a transaction was aborted, and what was dead-lettered when it was visible. */
async function pipeAll(name: string, to: string, isFailing: boolean) {
  const seen = { aborted: 0, letters: 0, visible: [] as number[] }
  const done = Promise.withResolvers<void>()
  await using pipe = await kafka.pipe({
    ...options(name),
    from: raw(name),
    to: raw(to),
    handler: (record) => {
      if (isFailing && !isEnd(record)) throw new Error('no')
      return { key: record.key, value: record.value! }
    },
  })
  pipe.on('aborted', () => seen.aborted++)
  pipe.on('deadLettered', () => seen.letters++)
  pipe.on('committed', ({ outputs }) => void (outputs > 0 && setImmediate(() => done.resolve())))
  await Promise.race([done.promise, pipe.done])
  await pipe.close()
  await pipe.done
  return seen
}

describe('a record as large as its topic takes, compressed', () => {
  test.each(['gzip', 'zstd'] as const)('by %s becomes a whole letter', async (compression) => {
    const name = `picture-${compression}`
    const value = picture(1_020_000)
    await fill(name, [{ value }, end], { compression })
    await failAll(name)
    const [letter] = await readTopic(kafka, raw(`${name}.dlq`), 1)
    expect(letter!.value!.equals(value)).toBe(true)
  })

  test('goes through a pipe, and where its handler fails becomes a whole letter', async () => {
    const value = Buffer.from(JSON.stringify(Array.from({ length: 200_000 }, (_, index) => ({ index }))))
    expect(value.length).toBeGreaterThan(2_000_000)
    await fill('repeated', [{ value }, end], { compression: 'zstd' })
    await fill('copied', [])
    expect(await pipeAll('repeated', 'copied', false)).toMatchObject({ aborted: 0, letters: 0 })
    expect((await readTopic(kafka, raw('copied'), 2))[0]!.value!.equals(value)).toBe(true)
    await fill('failing', [{ value: picture(1_020_000) }, end], { compression: 'zstd' })
    expect(await pipeAll('failing', 'copied', true)).toMatchObject({ aborted: 0, letters: 1 })
    expect((await readTopic(kafka, raw('failing.dlq'), 1))[0]!.value!.length).toBeGreaterThan(1_300_000)
  })
})

describe('a topic of outputs that takes less than when the pipe began', () => {
  test.each([
    ['smaller', { 'max.message.bytes': '2000' }, 'MESSAGE_TOO_LARGE'],
    ['compacted', { 'cleanup.policy': 'compact' }, 'INVALID_RECORD'],
  ])('(%s) makes dead letters of the records that it refuses, and takes the others', async (how, configs, reason) => {
    const [from, to] = [raw(`before-${how}`), raw(`after-${how}`)]
    await fill(from.name, [])
    await fill(to.name, [])
    const large = randomBytes(5_000)
    await using pipe = await kafka.pipe({
      ...options(from.name),
      from,
      to,
      handler: ({ key, value }) => ({ key, value: value! }),
    })
    const visible = Promise.withResolvers<void>()
    pipe.on('deadLettered', () => visible.resolve())
    await kafka.admin().alterTopic(to.name, { configs })
    await fill(from.name, [{ key: Buffer.from('a'), value: Buffer.from('a') }, { value: large }])
    await fill(from.name, [{ key: Buffer.from('end'), ...end }])
    await Promise.race([visible.promise, pipe.done])
    const [letter] = await readTopic(kafka, raw(`${from.name}.dlq`), 1)
    expect(letter!.value!.equals(large)).toBe(true)
    expect(readDeadLetter(letter!.headers)!.errorMessage).toContain(reason)
    const written = await readTopic(kafka, to, 2)
    expect(written.map(({ value }) => value!.toString())).toEqual(['a', 'end'])
    await pipe.close()
    await pipe.done
  })
})

describe('a topic of dead letters', () => {
  test('that Sluice made is given room when its source takes larger records', async () => {
    await fill('grown', [{ value: Buffer.from('small') }, end])
    await failAll('grown')
    await kafka.admin().alterTopic('grown', { configs: { 'max.message.bytes': '3000000' } })
    const value = randomBytes(2_500_000)
    // The partition's leader learns of the setting a moment later.
    await vi.waitFor(() => fill('grown', [{ value }]), 10_000)
    await fill('grown', [end])
    await failAll('grown')
    expect((await readTopic(kafka, raw('grown.dlq'), 2))[1]!.value!.equals(value)).toBe(true)
  })

  test.each(['consumer', 'pipe'] as const)(
    "that was made too small by hand gets a %s's letter without its value",
    async (by) => {
      const name = `narrow-${by}`
      await kafka.admin().createTopics([{ name: `${name}.dlq`, partitions: 1 }])
      await fill(name, [{ value: randomBytes(1_048_300), headers: { tenant: 'acme' } }, end])
      if (by === 'pipe') await fill(`${name}-out`, [])
      if (by === 'pipe') expect(await pipeAll(name, `${name}-out`, true)).toMatchObject({ aborted: 0, letters: 1 })
      else await failAll(name)
      const [letter] = await readTopic(kafka, raw(`${name}.dlq`), 1)
      expect([letter!.value, letter!.headers.get('tenant')]).toEqual([null, 'acme'])
      expect(readDeadLetter(letter!.headers)).toMatchObject({
        topic: name,
        offset: 0,
        omitted: ['value'],
        valueBytes: 1_048_300,
      })
      // It cannot be sent back: the value is where the record is, if it still is there.
      expect(await kafka.deadLetters(name).replay({ to: 'origin' })).toMatchObject({ replayed: 0, incomplete: 1 })
    },
  )

  test('that was made too small by hand stops who wants that, with the setting to change', async () => {
    const name = 'narrow-stop'
    await kafka.admin().createTopics([{ name: `${name}.dlq`, partitions: 1 }])
    await fill(name, [{ value: randomBytes(1_048_300) }, end])
    const stopping = failAll(name, { deadLetters: { oversize: 'stop' } })
    await expect(stopping).rejects.toMatchObject({ code: 'dead_letter_refused', refusal: 'too_large' })
  })

  test.each(['consumer', 'pipe'] as const)("that is compacted gets a %s's letter with a key of its own", async (by) => {
    const name = `compacted-${by}`
    await kafka.admin().createTopics([{ name: `${name}.dlq`, partitions: 1, configs: { 'cleanup.policy': 'compact' } }])
    await fill(name, [{ value: Buffer.from('bad') }, end])
    if (by === 'pipe') await fill(`${name}-out`, [])
    if (by === 'pipe') expect(await pipeAll(name, `${name}-out`, true)).toMatchObject({ aborted: 0, letters: 1 })
    else await failAll(name)
    const [letter] = await readTopic(kafka, raw(`${name}.dlq`), 1)
    expect(String(letter!.key)).toBe(`${name}/0/0`)
  })

  test('that was deleted is made again', async () => {
    const name = 'deleted'
    await fill(name, [{ value: Buffer.from('a') }])
    await using consumer = await kafka.consumer({ ...options(name), topics: [raw(name)] })
    const letters = { count: 0, told: Promise.withResolvers<void>() }
    consumer.on('deadLettered', () => {
      letters.count++
      letters.told.resolve()
    })
    const running = runFailing(consumer)
    await letters.told.promise
    await kafka.admin().deleteTopics([`${name}.dlq`])
    await fill(name, [{ value: Buffer.from('b') }, end])
    await running
    expect(letters.count).toBe(2)
    expect((await readTopic(kafka, raw(`${name}.dlq`), 1)).map(({ value }) => String(value))).toEqual(['b'])
  })
})

describe.each(['consumer', 'pipe'] as const)('by a %s', (by) => {
  test('a record of any time becomes a letter, which says it', async () => {
    const name = `times-${by}`
    const nowMs = Date.now()
    const times = [nowMs + 2 * 3_600_000, nowMs * 1_000, 5]
    const dlq = { name: `${name}.dlq`, partitions: 1, configs: { 'message.timestamp.before.max.ms': '3600000' } }
    await kafka.admin().createTopics([dlq])
    const records = times.map((timestampMs) => ({ value: Buffer.from('bad'), timestampMs }))
    await fill(name, [...records, end], { configs: anyTime })
    if (by === 'pipe') await fill(`${name}-out`, [])
    if (by === 'pipe') expect(await pipeAll(name, `${name}-out`, true)).toMatchObject({ aborted: 0, letters: 3 })
    else await failAll(name)
    const letters = await readTopic(kafka, raw(`${name}.dlq`), 3)
    expect(letters.map(({ headers }) => readDeadLetter(headers)!.timestampMs)).toEqual(times)
  })
})

test("a record's own headers come back by a replay, whatever they are called", async () => {
  const headers = {
    attempts: '7',
    'error-message': 'printer on fire',
    'original-topic': 'legacy.orders',
    'retry-count': '3',
    'replay-count': '9',
    tenant: 'acme',
  }
  await fill('named-alike', [{ value: Buffer.from('bad'), headers }, end])
  await failAll('named-alike')
  expect(await kafka.deadLetters('named-alike').replay({ to: 'origin' })).toMatchObject({ replayed: 1 })
  const [, , replayed] = await readTopic(kafka, raw('named-alike'), 3)
  expect(replayed!.headers.toJSON()).toMatchObject({ ...headers, 'sluice-replay-count': '1' })
})
