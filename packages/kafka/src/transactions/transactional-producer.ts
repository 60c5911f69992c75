import { ClosedError, ConfigError, type Clock } from '@sluice/flow'
import { requireNumber, orAborted } from '@sluice/flow/internal'
import type { Cluster } from '../cluster/cluster.ts'
import type { OffsetPlace } from '../record/places.ts'
import { requireKnownFields } from '../known-fields.ts'
import type { CloseOptions } from '../producer/producer.ts'
import type { OutgoingRecord, TargetTopic } from '../record/record.ts'
import { loadOpenTelemetry, type OpenTelemetry } from '../tracing/open-telemetry.ts'
import { activeTrace, type CarriedTrace } from '../tracing/trace-headers.ts'
import { endsWithin } from '../async/within.ts'
import { OutputTopics } from './output-topics.ts'
import { TransactionWriter } from './transaction-writer.ts'
import type { CommittingMember } from './transaction.ts'
import { parseTransactionOptions, transactionFields, type TransactionOptions } from './writer-options.ts'
import type { TransactionsState } from './transaction-writer.ts'

/** Offsets for a group to commit. Without a member the group must have none, and nobody is fenced. */
export interface SentOffsets {
  readonly group: string
  /** The next offset to read, by partition. */
  readonly offsets: readonly OffsetPlace[]
  /** Whose commits they are: the group refuses them once the member is fenced (KIP-447). */
  readonly member?: CommittingMember
}

/** What one transaction is to write. It is gathered here, and sent when the work that gathers it has ended. */
export interface TransactionScope {
  /** @throws ConfigError for more than 100,000 records in one transaction; ClosedError when the work has ended */
  send<K, V>(topic: TargetTopic<K, V>, record: OutgoingRecord<K, V>): void
  /** At most once. @throws ConfigError; ClosedError */
  sendOffsets(offsets: SentOffsets): void
}

interface GatheredRecord {
  readonly topic: TargetTopic<unknown, unknown>
  readonly record: OutgoingRecord<unknown, unknown>
  readonly trace: CarriedTrace | undefined
}

/** What one transaction holds in memory, in records. */
const maxRecords = 100_000
const nobody: CommittingMember = { memberId: '', memberEpoch: -1, instanceId: null }

/** What `inspect()` of a transactional producer returns. */
export interface TransactionalProducerState extends TransactionsState {
  readonly state: 'open' | 'closed'
  /** A transaction is under way. */
  readonly isRunning: boolean
}

/**
 * Writes records of many partitions at once: all of them are seen, or none is.
 *
 *     await producer.run((transaction) => {
 *       transaction.send(orders, { key, value })
 *       transaction.send(audit, { value: note })
 *     })
 */
export class TransactionalProducer implements AsyncDisposable {
  readonly #clock: Clock
  readonly #topics: OutputTopics
  readonly #writer: TransactionWriter
  /** Undefined: nothing is traced. */
  readonly #openTelemetry: OpenTelemetry | undefined
  /** Aborted when a transaction under way is not waited for any longer. */
  readonly #givenUp = new AbortController()
  #running: Promise<unknown> | undefined
  #state: 'open' | 'closed' = 'open'

  /**
   * Fences whoever wrote under this id before: what it had open is aborted, and what of it comes late is refused.
   * @throws ConfigError; ClusterTimeoutError; BrokerError and the like
   * @internal
   */
  static async open(cluster: Cluster, options: TransactionOptions, clock: Clock): Promise<TransactionalProducer> {
    requireKnownFields('', options, transactionFields)
    const topics = new OutputTopics(cluster, clock)
    const config = parseTransactionOptions(options)
    const writer = new TransactionWriter({ ...config, cluster, clock, topics })
    await writer.init()
    const openTelemetry = config.tracing ? await loadOpenTelemetry() : undefined
    return new TransactionalProducer(clock, topics, writer, openTelemetry)
  }

  private constructor(
    clock: Clock,
    topics: OutputTopics,
    writer: TransactionWriter,
    openTelemetry: OpenTelemetry | undefined,
  ) {
    this.#clock = clock
    this.#topics = topics
    this.#writer = writer
    this.#openTelemetry = openTelemetry
  }

  /**
   * One transaction. It begins when `work` has ended, is as short as its sending, and is committed when this resolves,
   * with what `work` has returned; the brokers show it to readers a moment later. Where `work` throws, nothing was sent.
   * One at a time.
   * @throws what `work` threw; EncodeError and RecordTooLargeError; TransactionError: `outcome` says whether it can have
   * been committed all the same; ProducerFencedError: another process has taken over; ClosedError; ConfigError
   */
  async run<T>(work: (transaction: TransactionScope) => T | Promise<T>): Promise<T> {
    if (this.#state === 'closed') throw new ClosedError('the transactional producer')
    if (this.#running !== undefined) throw new ConfigError('run', 'called while another runs', 'one at a time')
    const run = this.#run(work)
    this.#running = run.catch(() => {})
    return await run.finally(() => (this.#running = undefined))
  }

  inspect(): TransactionalProducerState {
    return { state: this.#state, isRunning: this.#running !== undefined, ...this.#writer.inspect() }
  }

  /**
   * Waits for the transaction that is under way, from 0 to 86,400,000 ms, default 30,000. One that has not ended by then is
   * given up: its `run` rejects, with a ClosedError where its work still gathers, else with an error whose `outcome` says
   * whether it can be committed all the same.
   * @throws ConfigError for a time that makes no sense: then nothing is closed.
   */
  async close({ timeoutMs = 30_000 }: CloseOptions = {}): Promise<{ readonly abandonedTransactions: number }> {
    requireNumber('timeoutMs', timeoutMs, { min: 0, max: 86_400_000 })
    this.#state = 'closed'
    const hasEnded = this.#running === undefined || (await endsWithin(this.#clock, this.#running, timeoutMs))
    this.#givenUp.abort(new ClosedError('the transactional producer'))
    this.#writer.close()
    return { abandonedTransactions: hasEnded ? 0 : 1 }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #run<T>(work: (transaction: TransactionScope) => T | Promise<T>): Promise<T> {
    const records: GatheredRecord[] = []
    let sent: SentOffsets | undefined
    let hasEnded = false
    const requireOpen = (): void => {
      if (hasEnded) throw new ClosedError('the transaction')
    }
    const scope: TransactionScope = {
      send: (topic, record) => {
        requireOpen()
        if (records.length === maxRecords) throw new ConfigError('records', records.length + 1, `at most ${maxRecords}`)
        const trace = this.#openTelemetry && activeTrace(this.#openTelemetry, record.headers)
        records.push({ topic, record, trace })
      },
      sendOffsets: (offsets) => {
        requireOpen()
        if (sent !== undefined) throw new ConfigError('sendOffsets', offsets, 'called once in a transaction')
        sent = offsets
      },
    }
    const working = (async () => await work(scope))()
    const result = await orAborted(working, this.#givenUp.signal).finally(() => (hasEnded = true))
    for (const {
      topic: { name },
      record: { partition },
    } of records) {
      if (this.#topics.needsLook(name, partition)) await this.#topics.look(name, this.#givenUp.signal)
    }
    const options = { nowMs: Math.floor(this.#clock.now()), compression: this.#writer.compression }
    const outputs = records.map(({ topic, record, trace }) => this.#topics.encode(topic, record, { ...options, trace }))
    await this.#writer.write({ outputs, offsets: sent && offsetsOf(sent) })
    return result
  }
}

function offsetsOf({ group, offsets, member = nobody }: SentOffsets) {
  return {
    group,
    offsets: offsets.map((place) => ({ ...place, leaderEpoch: -1, metadata: '' })),
    member: () => member,
  }
}
