import { ManualClock } from '@sluice/flow'
import { DeadLetterRefusedError, deadLetterHeader, type Kafka } from '@sluice/kafka'
import { describe, expect, it } from 'vitest'
import type { StoredRow } from './outbox-table.ts'
import { Sender } from './sender.ts'

const row = (id: number): StoredRow => ({
  id: String(id),
  bucket: 3,
  topic: 't',
  partition: undefined,
  key: Buffer.from('k'),
  value: Buffer.from(`${id}`),
  headers: [],
  timestampMs: undefined,
})

interface Written {
  readonly value: Buffer
  readonly timestampMs?: number
}

/** Transactions of these values are committed, unless `fail` has an error for them, or for the last record of them. */
function fakeKafka(fail: (values: readonly string[], last: Written) => Error | Promise<never> | undefined) {
  const committed: string[][] = []
  const records: Written[] = []
  const opened: string[] = []
  const transactionalProducer = ({ transactionalId }: { transactionalId: string }) => {
    opened.push(transactionalId)
    const run = async (work: (scope: unknown) => void): Promise<void> => {
      const values: string[] = []
      work({ send: (_: unknown, record: Written) => values.push(record.value.toString()) && records.push(record) })
      const failure = fail(values, records.at(-1)!)
      if (failure instanceof Error) throw failure
      await failure
      committed.push(values)
    }
    return Promise.resolve({ run, close: () => Promise.resolve() })
  }
  const letters: Letter[] = []
  const deadLetters = (source: string) => ({
    write: (letter: Letter) => {
      letters.push({ ...letter, source })
      return Promise.resolve()
    },
    close: () => Promise.resolve(),
  })
  return { kafka: { transactionalProducer, deadLetters } as unknown as Kafka, committed, records, opened, letters }
}

function newSender(kafka: Kafka, clock = new ManualClock()): Sender {
  return new Sender({ kafka, clock, sendTimeoutMs: 1_000, identity: 'own', oversize: 'omit' })
}

interface Letter {
  readonly source: string
  readonly value: Buffer
}

const tooLarge = Object.assign(new Error('too large'), { code: 'record_too_large' })

describe('a sender', () => {
  it('commits the rows of a bucket at once, under an id of its own', async () => {
    const { kafka, committed, opened } = fakeKafka(() => undefined)
    const sender = newSender(kafka)
    expect(await sender.send(3, [row(1), row(2)])).toEqual([{ outcome: 'sent' }, { outcome: 'sent' }])
    await sender.send(3, [row(3)])
    expect(committed).toEqual([['1', '2'], ['3']])
    expect(opened).toEqual(['sluice-outbox.own.3'])
  })

  it('finds the row that Kafka will not take, and commits the others in their order', async () => {
    const { kafka, committed, opened } = fakeKafka((values) => (values.includes('4') ? tooLarge : undefined))
    const sender = newSender(kafka)
    const sent = await sender.send(3, [1, 2, 3, 4, 5].map(row))
    expect(sent.map(({ outcome }) => outcome)).toEqual(['sent', 'sent', 'sent', 'refused', 'sent'])
    expect(committed.flat()).toEqual(['1', '2', '3', '5'])
    // What it knows of the topic may be old: another producer asks anew before the row is refused.
    expect(opened).toHaveLength(2)
  })

  it.each([
    ['the broker', { apiError: 'INVALID_RECORD' }],
    ['the cluster, where the partition of a row is gone,', { code: 'config_invalid', field: 'partition' }],
  ])('believes %s at once', async (_, cause) => {
    const { kafka, opened } = fakeKafka(() => Object.assign(new Error('no'), { outcome: 'aborted', cause }))
    const sender = newSender(kafka)
    expect(await sender.send(3, [row(1)])).toMatchObject([{ outcome: 'refused' }])
    expect(opened).toHaveLength(1)
  })

  it('writes a dead letter that its topic refuses in the form that it takes', async () => {
    const { kafka, letters } = fakeKafka(() => tooLarge)
    const sender = newSender(kafka)
    const headers = [[deadLetterHeader.topic, 'orders']] as const
    expect(await sender.send(3, [{ ...row(1), headers }]), 'of the user').toMatchObject([{ outcome: 'refused' }])
    expect(letters).toEqual([])
    const letter = { ...row(2), topic: 'orders.dlq', headers }
    expect(await sender.send(3, [letter, row(3)])).toMatchObject([{ outcome: 'sent' }, { outcome: 'refused' }])
    expect(letters).toMatchObject([{ source: 'orders', value: letter.value, compression: 'zstd' }])
    expect(letters[0]).toHaveProperty('headers', [...headers, ['idempotency-key', 'own/2']])
  })

  it.each([
    ['can never be written is refused', false, 'refused'],
    ['may be written later has failed', true, 'failed'],
  ])('a dead letter that %s', async (_, retriable, outcome) => {
    const { kafka } = fakeKafka(() => tooLarge)
    const place = { to: 'orders.dlq', topic: 'orders', partition: 0 }
    const refusal = retriable ? 'not_allowed' : 'too_large'
    const error = new DeadLetterRefusedError({ ...place, refusal, advice: 'raise it' }, tooLarge)
    Object.assign(kafka, { deadLetters: () => ({ write: () => Promise.reject(error) }) })
    const options = { kafka, clock: new ManualClock(), sendTimeoutMs: 1_000, identity: 'own' }
    const sender = new Sender({ ...options, oversize: 'stop' })
    const letter = { ...row(2), topic: 'orders.dlq', headers: [[deadLetterHeader.topic, 'orders']] as const }
    expect(await sender.send(3, [letter])).toEqual([{ outcome, error }])
  })

  it('keeps what it has found out of a batch of bad rows when the time is over', async () => {
    const clock = new ManualClock()
    const { kafka, committed } = fakeKafka((values) => {
      clock.advance(100)
      return values.length > 1 || values[0] === '2' ? tooLarge : undefined
    })
    const sender = newSender(kafka, clock)
    const sent = await sender.send(
      3,
      Array.from({ length: 64 }, (_, id) => row(id)),
    )
    expect(sent.slice(0, 2).map(({ outcome }) => outcome)).toEqual(['sent', 'sent'])
    expect(sent.at(-1)).toMatchObject({ outcome: 'failed', error: { code: 'transaction_timed_out' } })
    expect(committed.length).toBeLessThan(10)
    expect(sent.slice(0, committed.length).every(({ outcome }) => outcome !== 'failed')).toBe(true)
  })

  it('lets nothing go past what failed for another reason, and fences it the next time', async () => {
    const away = new Error('away')
    const { kafka, committed, opened } = fakeKafka((values) => {
      if (values.length > 2) return tooLarge
      return opened.length === 1 && values.includes('2') ? away : undefined
    })
    const sender = newSender(kafka)
    const sent = await sender.send(3, [1, 2, 3, 4].map(row))
    expect(sent.map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'failed', 'failed'])
    expect(committed).toEqual([])
    await sender.send(3, [row(1), row(2)])
    expect(committed).toEqual([['1', '2']])
    expect(opened).toEqual(['sluice-outbox.own.3', 'sluice-outbox.own.3'])
  })

  it('writes nothing through a producer that opened after it was given up', async () => {
    const clock = new ManualClock()
    const { kafka, committed, opened } = fakeKafka(() => undefined)
    const late = Promise.withResolvers<void>()
    const open = kafka.transactionalProducer.bind(kafka)
    const slow = Object.assign(kafka, {
      transactionalProducer: async (options: Parameters<typeof open>[0]) => {
        const producer = await open(options)
        if (opened.length === 1) await late.promise
        return producer
      },
    })
    const sender = newSender(slow, clock)
    const first = sender.send(3, [row(1)])
    await clock.advanceAsync(1_000)
    expect(await first).toMatchObject([{ outcome: 'failed' }])
    expect(await sender.send(3, [row(1), row(2)])).toMatchObject([{ outcome: 'sent' }, { outcome: 'sent' }])
    late.resolve()
    await new Promise((resolve) => setImmediate(resolve))
    expect(committed).toEqual([['1', '2']])
  })

  it('gives a transaction up that takes too long', async () => {
    const clock = new ManualClock()
    const { kafka } = fakeKafka(() => new Promise<never>(() => {}))
    const sender = newSender(kafka, clock)
    const sending = sender.send(3, [row(1)])
    await clock.advanceAsync(1_000)
    expect(await sending).toMatchObject([{ outcome: 'failed', error: { code: 'transaction_timed_out' } }])
  })
})
