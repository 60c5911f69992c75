import { ConfigError, ManualClock } from '@sluice/flow'
import { describe, expect, test } from 'vitest'
import { brokerError, errorCode } from '../driver/classify.ts'
import { ConnectionError, DeliveryError } from '../errors.ts'
import { RecordHeaders } from '../incoming/consumer-record.ts'
import { deadLetterHeaders, readDeadLetter } from '../failure/dead-letter-headers.ts'
import type { DeadLetterRecord } from '../failure/dead-letter-record.ts'
import { deliverLetter, type LetterOptions, type LetterWay } from './deliver-letter.ts'
import { isOwnMaxBytes, ownMaxBytes } from './letter-topics.ts'

const refusedWith = (name: string): Error =>
  new DeliveryError('orders.dlq', 3, 'refused', 'refused', brokerError(errorCode(name), null), 'record')

const letter = (change: Partial<DeadLetterRecord> = {}): DeadLetterRecord => ({
  topic: 'orders',
  partition: 3,
  key: Buffer.from('k'),
  value: Buffer.alloc(10_000, 'v'),
  headers: deadLetterHeaders([['tenant', Buffer.from('acme'.repeat(100))]], {
    topic: 'orders',
    partition: 3,
    offset: 42,
    timestampMs: 1_000,
    group: 'g',
    attempts: 3,
    stage: 'handler',
    errorClass: 'Error',
    errorMessage: 'no '.repeat(1_000),
    failedAtMs: 2_000,
    outcome: null,
    replays: 0,
  }),
  timestampMs: 1_000,
  compression: 'none',
  ...change,
})

const factsOf = ({ headers }: DeadLetterRecord) =>
  readDeadLetter(
    new RecordHeaders(
      (headers as [string, string | Buffer][]).map(([name, value]) => [Buffer.from(name), Buffer.from(value)] as const),
    ),
  )

/** Delivers to a topic that says of each attempt what it thinks of it. */
async function deliver(
  record: DeadLetterRecord,
  judge: (sent: DeadLetterRecord, attempt: number) => Error | undefined,
  { widen = async () => false, ...options }: Partial<LetterOptions> & Pick<Partial<LetterWay<void>>, 'widen'> = {},
) {
  const clock = new ManualClock()
  const failures: unknown[] = []
  const sent: DeadLetterRecord[] = []
  const way: LetterWay<void> = {
    clock,
    nameOf: (source) => `${source}.dlq`,
    widen,
    send: async (one) => {
      sent.push(one)
      const error = judge(one, sent.length)
      if (error !== undefined) throw error
    },
  }
  const signal = options.signal ?? new AbortController().signal
  const onFailure = (error: unknown): void => void failures.push(error)
  let isOver = false
  const delivered = deliverLetter(record, way, { ...options, signal, onFailure }).finally(() => (isOver = true))
  delivered.catch(() => {})
  for (let turn = 0; turn < 50 && !isOver; turn++) await clock.advanceAsync(5_000)
  return { delivered, sent, failures, isOver }
}

const sizeOf = ({ key, value, headers }: DeadLetterRecord): number =>
  (key?.length ?? 0) +
  (value?.length ?? 0) +
  (headers as [string, string | Buffer][]).reduce((sum, [name, content]) => sum + name.length + content.length, 0)
const largerThan = (limit: number) => (sent: DeadLetterRecord) =>
  sizeOf(sent) > limit ? refusedWith('MESSAGE_TOO_LARGE') : undefined

describe('a letter that its topic refuses', () => {
  test.each([
    [11_000, ['error-message'], 10_000],
    [2_000, ['error-message', 'value'], 0],
    [700, ['error-message', 'value', 'headers'], 0],
  ] as const)('for its size loses no more than it must to be at most %d bytes', async (limit, omitted, bytes) => {
    const { delivered, sent } = await deliver(letter(), largerThan(limit), { oversize: 'omit' })
    expect(await delivered).toMatchObject({ letter: { to: 'orders.dlq', omitted } })
    const written = sent.at(-1)!
    expect(written.value?.length ?? 0).toBe(bytes)
    const facts = factsOf(written)!
    expect(facts).toMatchObject({ topic: 'orders', partition: 3, offset: 42, omitted })
    expect(facts.errorMessage).toHaveLength(200)
    expect(facts.valueBytes).toBe(bytes === 0 ? 10_000 : undefined)
  })

  test('for the size of its key loses that too', async () => {
    const { delivered, sent } = await deliver(letter({ key: Buffer.alloc(5_000) }), largerThan(700), {
      oversize: 'omit',
    })
    await delivered
    expect(sent.at(-1)!.key).toBeNull()
  })

  test('whatever is left out ends with an error that names the setting', async () => {
    const { delivered, failures } = await deliver(letter(), largerThan(10), { oversize: 'omit' })
    await expect(delivered).rejects.toMatchObject({
      code: 'dead_letter_refused',
      refusal: 'too_large',
      retriable: false,
    })
    await expect(delivered).rejects.toThrow(/raise max\.message\.bytes of orders\.dlq to at least 1\d{4}$/)
    expect(failures).toEqual([])
  })

  test('for its size stops where that is asked for, and loses nothing but a long message before', async () => {
    const { delivered, sent } = await deliver(letter(), largerThan(5_000), { oversize: 'stop' })
    await expect(delivered).rejects.toMatchObject({ code: 'dead_letter_refused', to: 'orders.dlq', topic: 'orders' })
    expect(sent.map(({ value }) => value?.length)).toEqual([10_000, 10_000])
    const short = await deliver(letter(), largerThan(11_000), { oversize: 'stop' })
    expect(await short.delivered).toMatchObject({ letter: { omitted: ['error-message'] } })
  })

  test('for its size is written whole where the topic is given room', async () => {
    let room = 100
    const judge = (sent: DeadLetterRecord): Error | undefined => largerThan(room)(sent)
    const widen = async (): Promise<boolean> => (room < 20_000 ? ((room = 20_000), true) : false)
    const { delivered, sent } = await deliver(letter(), judge, { oversize: 'omit', widen })
    expect(await delivered).toMatchObject({ letter: { omitted: [] } })
    expect(sent.at(-1)).toEqual(letter())
  })

  test('for its time is written without', async () => {
    const { delivered, sent } = await deliver(letter(), ({ timestampMs }) =>
      timestampMs === undefined ? undefined : refusedWith('INVALID_TIMESTAMP'),
    )
    await delivered
    expect(factsOf(sent.at(-1)!)).toMatchObject({ timestampMs: 1_000 })
  })

  test.each([-1, -5, 1_796_063_413_308_000_000, 2 ** 63, NaN])(
    'with a time of %d is sent without',
    async (timestampMs) => {
      const { delivered, sent } = await deliver(letter({ timestampMs }), () => undefined)
      await delivered
      expect(sent[0]).not.toHaveProperty('timestampMs')
    },
  )

  test('since it has no key is given one of its own, and says so', async () => {
    const { delivered, sent } = await deliver(letter({ key: null }), ({ key }) =>
      key === null ? refusedWith('INVALID_RECORD') : undefined,
    )
    await delivered
    expect([String(sent.at(-1)!.key), factsOf(sent.at(-1)!)!.isKeyMade]).toEqual(['orders/3/42', true])
  })

  test('for its partition goes by its key', async () => {
    const { delivered, sent } = await deliver(letter(), ({ partition }) =>
      partition >= 0 ? new ConfigError('partition', partition, 'a partition of orders.dlq: 0 to 1') : undefined,
    )
    await delivered
    expect(sent.at(-1)!.partition).toBe(-1)
  })

  test.each(['INVALID_RECORD', 'POLICY_VIOLATION', 'UNSUPPORTED_COMPRESSION_TYPE', 'INVALID_TOPIC_EXCEPTION'])(
    'for good, with %s, is not tried for ever',
    async (name) => {
      const { delivered, sent } = await deliver(letter(), () => refusedWith(name))
      await expect(delivered).rejects.toMatchObject({ code: 'dead_letter_refused', retriable: false })
      expect(sent.length).toBeLessThan(3)
    },
  )

  test.each(['TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED'])(
    'until somebody allows it (%s) waits, and says what to allow',
    async (name) => {
      const { delivered, failures } = await deliver(letter(), (_, attempt) =>
        attempt < 4 ? refusedWith(name) : undefined,
      )
      await delivered
      expect(failures).toHaveLength(3)
      expect(failures[0]).toMatchObject({ code: 'dead_letter_refused', refusal: 'not_allowed', retriable: true })
      expect((failures[0] as Error).message).toContain('allow this client to write to orders.dlq')
    },
  )

  test('with another record of its batch to blame is sent again as it is', async () => {
    const shared = new DeliveryError('o', 3, 'refused', 'm', brokerError(errorCode('INVALID_RECORD'), null), 'batch')
    const { delivered, sent } = await deliver(letter({ key: null }), (_, attempt) =>
      attempt === 1 ? shared : undefined,
    )
    await delivered
    expect(sent[1]).toEqual(sent[0])
  })
})

test('what can pass is waited for, and told each time', async () => {
  const away = new ConnectionError('a:1', 'away')
  const { delivered, failures } = await deliver(letter(), (_, attempt) => (attempt < 4 ? away : undefined))
  await delivered
  expect(failures).toEqual([away, away, away])
})

test('an attempt that hangs is left behind as soon as the signal comes', async () => {
  const stop = new AbortController()
  const clock = new ManualClock()
  const way: LetterWay<never> = {
    clock,
    nameOf: (source) => source,
    widen: async () => false,
    send: () => new Promise(() => {}),
  }
  const delivered = deliverLetter(letter(), way, { signal: stop.signal, onFailure: () => {} })
  stop.abort(new Error('closed'))
  await expect(delivered).rejects.toThrow('closed')
})

test('a topic of ours is known by its limit, which no one sets by hand', () => {
  expect(ownMaxBytes(1_048_588 + 65_536)).toBe(1_048_588 + 65_536)
  for (const bytes of [1, 65_548, 1_048_588, 2_097_152, 2_097_164, 10_485_760]) {
    const own = ownMaxBytes(bytes)
    expect([own >= bytes, own < bytes + 2 * 65_536 + 12, isOwnMaxBytes(own)]).toEqual([true, true, true])
  }
  for (const bytes of [NaN, 0, 10, 1_048_576, 1_048_588, 2_000_000, 2_097_152, 2_097_164]) {
    expect(isOwnMaxBytes(bytes)).toBe(false)
  }
})
