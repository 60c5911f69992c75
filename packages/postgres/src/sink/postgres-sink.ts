import { systemClock, type Clock } from '@sluice/flow'
import { Emitter, messageOf } from '@sluice/flow/internal'
import {
  HandlerError,
  type AnySource,
  type AnyTopic,
  type Consumer,
  type ConsumerRecord,
  type HandlerContext,
  type Log,
} from '@sluice/kafka'
import type { Pool } from 'pg'
import { OutboxTable } from '../outbox/outbox-table.ts'
import { outboxRelay, type OutboxRelay, type OutboxRelayState } from '../outbox/relay.ts'
import { LOCK_TIMEOUT_MS, type TransactionSettings, withConnection } from '../sql/transaction.ts'
import { explained, tablesOf, type Tables } from '../tables.ts'
import { BatchWriter } from './batch-writer.ts'
import { Claims, type ClaimState } from './claims.ts'
import { sinkLines } from './event-lines.ts'
import type { SinkEvents } from './events.ts'
import { Offsets } from './offsets.ts'
import { consumerOptions, parseSinkOptions, type PostgresSinkOptions, type SinkSettings } from './options.ts'
import { FencedError } from '../errors.ts'

/**
 * Handles the records of topics exactly once: the effects of a batch and the position behind it are one transaction of
 * PostgreSQL. It joins the group and begins at once. `migrate` has to have made the tables.
 *
 * Partitions run side by side, `concurrency` at most, each a batch at a time in its order. The handler has to do for a
 * list of records what it does for one, in few statements: a set-based `INSERT .. SELECT FROM unnest(..)`. Where it
 * updates rows that batches of other partitions update too, it should do so in the order of their keys; a deadlock is
 * tried again, but costs a second. It must not end the transaction, nor let effects out of it that a repetition would
 * double.
 * @throws ConfigError; TablesMissingError; what Kafka or PostgreSQL says at the first try
 */
export async function postgresSink<T extends AnySource = AnyTopic>(
  options: PostgresSinkOptions<T>,
): Promise<PostgresSink<T>> {
  const tables = tablesOf(options)
  const settings = parseSinkOptions(options)
  await requireTables(transactions(settings, options.pool), tables)
  const { kafka, pool, schema, prefix } = options
  const place = { ...(schema !== undefined && { schema }), ...(prefix !== undefined && { prefix }) }
  const relay = settings.relay
    ? await outboxRelay({ kafka, pool, ...place, ...(options.deadLetters && { deadLetters: options.deadLetters }) })
    : undefined
  try {
    const claims = new Claims(new Offsets(options.group, tables, transactions(settings, pool)))
    const consumer = await kafka.consumer<T>(consumerOptions(options, settings, claims))
    const sink = new PostgresSink<T>({ options, settings, tables, claims, consumer, relay })
    sink.start()
    return sink
  } catch (error) {
    await relay?.close()
    throw error
  }
}

/** The relay has this long to end its batch also where the consumer has used up all the time. */
const RELAY_GRACE_MS = 300

interface Parts<T extends AnySource> {
  readonly options: PostgresSinkOptions<T>
  readonly settings: SinkSettings
  readonly tables: Tables
  readonly claims: Claims
  readonly consumer: Consumer<T>
  readonly relay: OutboxRelay | undefined
}

/** What `inspect()` of a sink returns. */
export interface PostgresSinkState {
  /** The partitions that it has claimed. */
  readonly claims: readonly ClaimState[]
  /** Null with `relay: false`. */
  readonly relay: OutboxRelayState | null
}

/** A running sink: see `postgresSink`. Closing it closes its consumer and its relay. */
export class PostgresSink<T extends AnySource = AnyTopic> implements AsyncDisposable {
  /** The member of the group: its events, its pauses, what it holds. Closing it closes the sink. */
  readonly consumer: Consumer<T>
  /** Sends its dead letters: its events. Undefined with `relay: false`. */
  readonly relay: OutboxRelay | undefined
  /** Settles when the sink has closed: rejects with what stopped it. */
  readonly ended: Promise<void>
  readonly #claims: Claims
  readonly #writer: BatchWriter
  readonly #events: Emitter<SinkEvents>
  readonly #log: Log
  readonly #group: string
  readonly #end = Promise.withResolvers<void>()
  #isFailed = false

  /** @internal For `postgresSink`. */
  constructor({ options, settings, tables, claims, consumer, relay }: Parts<T>) {
    this.consumer = consumer
    this.#claims = claims
    this.relay = relay
    this.ended = this.#end.promise
    // Nobody has to look at it: `close` rejects with the same.
    this.ended.catch(() => {})
    const { kafka, pool, group, onDeadLetter } = options
    this.#group = group
    this.#log = kafka.log
    this.#events = new Emitter<SinkEvents>(kafka.log.observer(sinkLines, { group }))
    const settingsOf = transactions(settings, pool)
    this.#writer = new BatchWriter({
      group,
      attempts: settings.attempts,
      handler: settings.handler,
      offsets: new Offsets(group, tables, settingsOf),
      outbox: new OutboxTable(tables),
      transactions: settingsOf,
      clock: systemClock,
      events: this.#events,
      prepareDeadLetters: (topic) => kafka.deadLetters(topic).prepare(),
      onDeadLetter: (record, error) => {
        relay?.wake()
        void tell(() => onDeadLetter?.(record, error))
      },
    })
  }

  /** @internal For `postgresSink`. */
  start(): void {
    void this.#run()
  }

  /** Returns the function that takes the listener off again. */
  on<Name extends keyof SinkEvents>(name: Name, listener: (event: SinkEvents[Name]) => unknown): () => void {
    return this.#events.on(name, listener)
  }

  /** Beside what `consumer.inspect()` tells. */
  inspect(): PostgresSinkState {
    return { claims: this.#claims.inspect(), relay: this.relay?.inspect() ?? null }
  }

  /**
   * Stops fetching, waits for the batches that run and leaves the group, then ends the relay. `timeoutMs` is for all of it
   * together, from 0 to 86,400,000, default 30,000; half a second later it has ended, whatever Kafka does. What was cut
   * short is done by the next owner: positions and dead letters lie in the database. Idempotent.
   * @throws what stopped the sink, if something did
   */
  async close({ timeoutMs = 30_000 }: { readonly timeoutMs?: number } = {}): Promise<void> {
    const dueMs = systemClock.monotonicMs() + timeoutMs
    await this.consumer.close({ timeoutMs }).catch((error: unknown) => {
      if (!this.#isFailed) throw error
    })
    const leftMs = Math.max(0, dueMs + RELAY_GRACE_MS - systemClock.monotonicMs())
    // The failure is what `ended` rejects with.
    await Promise.all([this.relay?.close({ timeoutMs: leftMs }), this.ended])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #run(): Promise<void> {
    let failure: unknown
    try {
      await this.consumer.run((records, context) => this.#write(records, context), { batch: true })
    } catch (error) {
      this.#isFailed = true
      // That of the consumer says only that its handler has failed, which is us.
      failure = error instanceof HandlerError ? error.cause : error
    }
    await this.relay?.close()
    if (!this.#isFailed) return this.#end.resolve()
    this.#logEnd(failure)
    this.#end.reject(failure)
  }

  /** Nobody has to look at `ended`. */
  #logEnd(failure: unknown): void {
    const group = this.#group
    const message = `the sink of ${group} ended: ${messageOf(failure)}`
    const facts = { event: 'ended', group, err: failure }
    this.#log.write({ kind: `sinkEnded ${group}`, level: 'error', message, facts, warns: true })
  }

  async #write(records: readonly ConsumerRecord[], context: HandlerContext): Promise<void> {
    const { topic, partition } = records[0]!
    const claim = this.#claims.of(topic, partition)
    if (claim === undefined) throw new FencedError({ topic, partition })
    await this.#writer.write(claim, records, context)
  }
}

function transactions(
  { transactionTimeoutMs }: SinkSettings,
  pool: Pool,
  clock: Clock = systemClock,
): TransactionSettings {
  return { pool, clock, timeoutMs: transactionTimeoutMs, lockTimeoutMs: LOCK_TIMEOUT_MS }
}

async function requireTables(settings: TransactionSettings, { offsets, outbox }: Tables): Promise<void> {
  await withConnection(settings, async (client) => {
    for (const table of [offsets, outbox]) {
      await client.query(`SELECT FROM ${table} LIMIT 0`).catch((error: unknown) => {
        throw explained(error, table)
      })
    }
  })
}

/** What a listener of the user's throws breaks nothing here, and is seen. */
async function tell(listener: () => unknown): Promise<void> {
  try {
    await listener()
  } catch (error) {
    process.emitWarning(`onDeadLetter failed: ${messageOf(error)}`, 'SluiceWarning')
  }
}
