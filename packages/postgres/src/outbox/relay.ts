import { ClosedError, ConfigError, systemClock, type Clock } from '@sluice/flow'
import { Emitter, requireInteger, requireNumber, messageOf, nameOf, orAborted } from '@sluice/flow/internal'
import type { ConsumerDeadLetterOptions, Kafka } from '@sluice/kafka'
import type { Pool, PoolClient } from 'pg'
import { crashPoint } from '../crash-points.ts'
import { backoffMs } from '../sql/backoff.ts'
import { before, LOCK_TIMEOUT_MS, withConnection } from '../sql/transaction.ts'
import { explained, tablesOf, type TableOptions, type Tables } from '../tables.ts'
import { BucketLocks } from './bucket-locks.ts'
import { type OversizePolicy, parseOversize } from './letters.ts'
import { relayLines } from './event-lines.ts'
import type { OutboxRelayEvents } from './events.ts'
import { OutboxTable, type StoredRow } from './outbox-table.ts'
import { BUCKETS } from './row.ts'
import { Sender, type Sent } from './sender.ts'

/** What `outboxRelay` takes: the database, the cluster, and how it sends. */
export interface OutboxRelayOptions extends TableOptions {
  /** The cluster that the rows are sent to. */
  readonly kafka: Kafka
  /** The relay keeps one of its connections for itself. Not through a pooler that lends sessions by the transaction. */
  readonly pool: Pool
  /** Rows that are read, sent and deleted at once, as far as they fit into 16 MiB. 1 to 100,000, default 1,000. */
  readonly batchRecords?: number
  /** How often it looks for rows while there are none. 1 to 5,000, default 100; `wake()` makes it look at once. */
  readonly pollIntervalMs?: number
  /** Of the 16 buckets of keys, how many this relay may have at most; others have the rest. 1 to 16, default 16. */
  readonly maxBuckets?: number
  /** How long the rows of a batch may take until Kafka has acknowledged them. 100 to 9,000, default 8,000. */
  readonly sendTimeoutMs?: number
  /**
   * For dead letters of a sink. `oversize: 'omit'` (default): one that is larger than `max.message.bytes` of its topic is
   * written without what makes it too large. `stop`: its row stays in the table, with a `refused` event.
   */
  readonly deadLetters?: ConsumerDeadLetterOptions
  /** For tests. Default: the machine's. */
  readonly clock?: Clock
}

interface RelaySettings {
  readonly clock: Clock
  readonly batchRecords: number
  readonly pollIntervalMs: number
  readonly maxBuckets: number
  readonly sendTimeoutMs: number
  readonly oversize: OversizePolicy
}

interface RelayParts extends RelaySettings {
  readonly kafka: Kafka
  readonly pool: Pool
  readonly tables: Tables
  readonly identity: string
}

/** Locks that others have let go are taken so soon. */
const LOCK_INTERVAL_MS = 1_000
const CONNECT_MS = 10_000
/** The server ends a session that says nothing for LOCK_TIMEOUT_MS. */
const MAX_POLL_INTERVAL_MS = LOCK_TIMEOUT_MS / 2
/** With the longest poll behind it, less than a session may be silent. */
const MAX_BUCKET_PAUSE_MS = 3_000
const MAX_BATCH_BYTES = 16 * 2 ** 20
/** A server that says nothing for longer than a batch may take is not waited for. */
const ROUND_SLACK_MS = 20_000

/** A bucket whose rows could not be sent. */
interface Pause {
  readonly failures: number
  readonly untilMs: number
}

/** What `inspect()` of a relay returns. */
export interface OutboxRelayState {
  /** The buckets of keys, 0 to 15, that this relay sends. */
  readonly buckets: readonly number[]
  /** Rows that Kafka has acknowledged. */
  readonly sentRows: number
  /** Rows that can never be sent as they are: they stay in the table, with the reason. */
  readonly refusedRows: number
  /** Of the buckets, those that wait for another attempt. */
  readonly pausedBuckets: readonly number[]
}

/** Opens a relay, which sends until it is closed. @throws ConfigError; TablesMissingError; what PostgreSQL says */
export async function outboxRelay(options: OutboxRelayOptions): Promise<OutboxRelay> {
  const tables = tablesOf(options)
  const settings = parseRelayOptions(options)
  const connection = { pool: options.pool, clock: settings.clock, timeoutMs: CONNECT_MS }
  const identity = await withConnection(connection, (client) => new OutboxTable(tables).identity(client)).catch(
    (error: unknown) => {
      throw explained(error, tables.outbox)
    },
  )
  const relay = new OutboxRelay({ ...options, ...settings, tables, identity })
  relay.start()
  return relay
}

function parseRelayOptions(options: OutboxRelayOptions): RelaySettings {
  const { kafka, pool, clock = systemClock } = options
  if (typeof kafka?.producer !== 'function') throw new ConfigError('kafka', kafka, 'a Kafka')
  if (typeof pool?.connect !== 'function') throw new ConfigError('pool', pool, 'a Pool of pg')
  // The server ends a transaction that is idle for longer, while Kafka is waited for.
  const max = LOCK_TIMEOUT_MS - 1_000
  return {
    clock,
    batchRecords: requireInteger('batchRecords', options.batchRecords ?? 1_000, { min: 1, max: 100_000 }),
    pollIntervalMs: requireInteger('pollIntervalMs', options.pollIntervalMs ?? 100, {
      min: 1,
      max: MAX_POLL_INTERVAL_MS,
    }),
    maxBuckets: requireInteger('maxBuckets', options.maxBuckets ?? BUCKETS, { min: 1, max: BUCKETS }),
    sendTimeoutMs: requireInteger('sendTimeoutMs', options.sendTimeoutMs ?? 8_000, { min: 100, max }),
    oversize: parseOversize(options.deadLetters),
  }
}

/** Brings the rows of an outbox to Kafka, those of a key in their order, each at least once. */
export class OutboxRelay implements AsyncDisposable {
  readonly #pool: Pool
  readonly #clock: Clock
  readonly #tables: Tables
  readonly #table: OutboxTable
  readonly #settings: RelayParts
  readonly #events: Emitter<OutboxRelayEvents>
  readonly #stopping = new AbortController()
  readonly #pauses = new Map<number, Pause>()
  #wakeUp: (() => void) | undefined
  #held: readonly number[] = []
  #sentRows = 0
  #refusedRows = 0
  readonly #givenUp = new AbortController()
  #loop: Promise<void> | undefined

  /** @internal For `outboxRelay`. */
  constructor(parts: RelayParts) {
    this.#pool = parts.pool
    this.#clock = parts.clock
    this.#tables = parts.tables
    this.#table = new OutboxTable(parts.tables)
    this.#settings = parts
    this.#events = new Emitter(parts.kafka.log.observer(relayLines, { outbox: parts.tables.outbox }))
  }

  /** Returns the function that takes the listener off again. */
  on<Name extends keyof OutboxRelayEvents>(
    name: Name,
    listener: (event: OutboxRelayEvents[Name]) => unknown,
  ): () => void {
    return this.#events.on(name, listener)
  }

  /** @internal For `outboxRelay`. */
  start(): void {
    this.#loop ??= this.#run()
  }

  /** There is something to send: looks at once. */
  wake(): void {
    this.#wakeUp?.()
  }

  inspect(): OutboxRelayState {
    const pausedBuckets = [...this.#pauses.keys()]
    return { buckets: this.#held, sentRows: this.#sentRows, refusedRows: this.#refusedRows, pausedBuckets }
  }

  /**
   * Ends after the batch that is under way. One that takes longer than `timeoutMs` (from 0 to 86,400,000, default 30,000)
   * is given up with its connection: its rows stay in the table, and the next relay sends them. Idempotent.
   * @throws ConfigError for a time that makes no sense: then nothing is closed.
   */
  async close({ timeoutMs = 30_000 }: { readonly timeoutMs?: number } = {}): Promise<void> {
    requireNumber('timeoutMs', timeoutMs, { min: 0, max: 86_400_000 })
    this.#stopping.abort()
    this.wake()
    const timer = this.#clock.setTimeout(() => this.#givenUp.abort(new ClosedError('the relay')), timeoutMs)
    // A connection that is still being made is not waited for: it is released as soon as it is there.
    await orAborted(this.#loop ?? Promise.resolve(), this.#givenUp.signal)
      .catch(() => {})
      .finally(() => timer.cancel())
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stopping.signal.aborted;) {
      try {
        // As long as it lives; each round has a time of its own.
        const connection = { pool: this.#pool, clock: this.#clock, timeoutMs: Infinity, connectTimeoutMs: CONNECT_MS }
        await withConnection({ ...connection, signal: this.#givenUp.signal }, async (client, discard) => {
          // It holds locks, and settings of its own.
          discard()
          const sender = new Sender(this.#settings)
          try {
            await orAborted(
              this.#serve(client, sender, () => (failures = 0)),
              this.#givenUp.signal,
            )
          } finally {
            sender.close()
          }
        })
      } catch (error) {
        if (this.#givenUp.signal.aborted) break
        const retryInMs = backoffMs(failures++, 100, 5_000)
        this.#events.emit('error', { retryInMs, error })
        await this.#pause(retryInMs)
      }
      this.#held = []
    }
  }

  /** Sends over one session, for as long as it lives. */
  async #serve(client: PoolClient, sender: Sender, onRound: () => void): Promise<void> {
    const locks = new BucketLocks(client, this.#tables.outbox, this.#settings.maxBuckets)
    // A frozen relay must not keep its buckets for ever. Before PostgreSQL 14 there is no such setting.
    await client.query(`SET idle_session_timeout = ${LOCK_TIMEOUT_MS}`).catch(() => {})
    let lookedAtMs = -Infinity
    while (!this.#stopping.signal.aborted) {
      const nowMs = this.#clock.monotonicMs()
      if (nowMs - lookedAtMs >= LOCK_INTERVAL_MS && locks.held.length < this.#settings.maxBuckets) {
        await this.#timed(locks.takeMore())
        lookedAtMs = nowMs
        this.#held = locks.held
      }
      const isMore = await this.#timed(this.#round(client, sender, locks.held))
      onRound()
      if (!isMore) await this.#pause(this.#settings.pollIntervalMs)
    }
  }

  /** One batch of every bucket that has rows. True: there may be more. */
  async #round(client: PoolClient, sender: Sender, held: readonly number[]): Promise<boolean> {
    const nowMs = this.#clock.monotonicMs()
    const ready = held.filter((bucket) => (this.#pauses.get(bucket)?.untilMs ?? 0) <= nowMs)
    const buckets = ready.length === 0 ? [] : await this.#table.waiting(client, ready)
    if (buckets.length === 0) return false
    const share = Math.ceil(this.#settings.batchRecords / buckets.length)
    const shareBytes = Math.ceil(MAX_BATCH_BYTES / buckets.length)
    const timeout = `${LOCK_TIMEOUT_MS}`
    await client.query(
      `BEGIN; SET LOCAL lock_timeout = ${timeout}; SET LOCAL idle_in_transaction_session_timeout = ${timeout}`,
    )
    const batches = new Map<number, StoredRow[]>()
    for (const bucket of buckets) batches.set(bucket, await this.#table.first(client, bucket, share, shareBytes))
    crashPoint('rows_read')
    // A bucket whose transaction does not end in time is given up, and keeps nobody else.
    const sent = await Promise.all(Array.from(batches, ([bucket, batch]) => sender.send(bucket, batch)))
    crashPoint('rows_sent')
    const done: string[] = []
    const refused: OutboxRelayEvents['refused'][] = []
    for (const [index, [bucket, batch]] of [...batches].entries()) {
      const settled = this.#settle(bucket, batch, sent[index]!)
      done.push(...settled.sent)
      refused.push(...settled.refused)
    }
    await this.#table.delete(client, done)
    for (const { id, error } of refused) await this.#table.refuse(client, id, `${nameOf(error)}: ${messageOf(error)}`)
    await client.query('COMMIT')
    crashPoint('rows_deleted')
    this.#sentRows += done.length
    this.#refusedRows += refused.length
    if (done.length > 0) this.#events.emit('sent', { rows: done.length })
    for (const event of refused) this.#events.emit('refused', event)
    return done.length > 0
  }

  /** All before the first row that failed, which may have to go before the others again. */
  #settle(bucket: number, batch: readonly StoredRow[], results: readonly Sent[]) {
    const sent: string[] = []
    const refused: OutboxRelayEvents['refused'][] = []
    for (const [index, { id, topic }] of batch.entries()) {
      const result = results[index]!
      if (result.outcome === 'failed') {
        // One that gets on, if slowly, waits no longer each time.
        if (index > 0) this.#pauses.delete(bucket)
        this.#pauseBucket(bucket, topic, result.error)
        return { sent, refused }
      }
      if (result.outcome === 'sent') sent.push(id)
      else refused.push({ id, topic, error: result.error })
    }
    this.#pauses.delete(bucket)
    return { sent, refused }
  }

  /** The other buckets go on. */
  #pauseBucket(bucket: number, topic: string, error: unknown): void {
    const failures = this.#pauses.get(bucket)?.failures ?? 0
    const retryInMs = backoffMs(failures, 100, MAX_BUCKET_PAUSE_MS)
    this.#pauses.set(bucket, { failures: failures + 1, untilMs: this.#clock.monotonicMs() + retryInMs })
    this.#events.emit('sendFailed', { bucket, topic, retryInMs, error })
  }

  /** @throws TransactionTimeoutError: then the connection is given up */
  async #timed<T>(work: Promise<T>): Promise<T> {
    return await before(this.#clock, this.#settings.sendTimeoutMs + ROUND_SLACK_MS, work)
  }

  async #pause(ms: number): Promise<void> {
    if (this.#stopping.signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#clock.setTimeout(resolve, ms)
    this.#wakeUp = resolve
    await promise
    this.#wakeUp = undefined
    timer.cancel()
  }
}
