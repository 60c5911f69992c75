import { Gate } from '@sluice/flow'
import { messageOf, orAborted } from '@sluice/flow/internal'
import type { Clock } from '@sluice/flow'
import type { DeliveryError, DeliveryOutcome } from '../../errors.ts'
import { deadLetterHeaders } from '../../failure/dead-letter-headers.ts'
import type { LetterSink } from './letter-sink.ts'
import type { DeadLetterRecord } from '../../failure/dead-letter-record.ts'
import { isOwnTopic } from '../../failure/topic-names.ts'
import type { Log } from '../../log/log.ts'
import type { Compression } from '../../batch/batch.ts'
import type { DeadLetterConfig } from '../options.ts'
import type { PendingRecord } from '../../outgoing/pending-record.ts'
import { Spool } from './spool.ts'
import { resend } from './spool-resend.ts'

/** Where the dead letter of a record is: in its topic, on this machine until the next start, or nowhere. */
export type DeadLetterPlace = 'topic' | 'spool' | 'nowhere'

/** Records that failed for good, of one partition and for one reason. */
export interface FailedRecords {
  readonly records: readonly PendingRecord[]
  readonly attempts: number
  readonly outcome: DeliveryOutcome
  readonly error: DeliveryError
}

/** Records that were given up, and where they are kept. */
export interface DeadLettersEvent {
  readonly topic: string
  readonly partition: number
  readonly records: number
  /** Where they are now. */
  readonly place: DeadLetterPlace
  /** Why they are dead letters. */
  readonly error: Error
  /** Why they are not in their topic. */
  readonly cause: unknown
}

/** The dead letters of a producer. */
export interface DeadLettersState {
  /** Dead letters that are in their topic. */
  readonly written: number
  /** Dead letters that wait in the folder until their topic can be written. */
  readonly spooled: number
  /** Neither written nor spooled: only the rejected promises tell of them. */
  readonly lost: number
  /** Of an earlier process's spool, written since. */
  readonly resent: number
  /** What they take in the folder. */
  readonly spoolBytes: number
}

/** With the compression of the producer: what fitted its topic that way need not fit in another. */
interface WriterConfig extends DeadLetterConfig {
  readonly compression: Compression
}

/** At a time; what waits for its turn is still in the producer's queue and so is bounded. */
const maxInFlight = 100
/** A topic whose dead letters could not be written is left alone for so long. */
const restMs = 10_000

/**
 * Writes what failed for good to `<topic>.dlq`, by a producer of its own: in the queue of the failing one there may be
 * no room. What cannot be written in time goes to the spool, if there is one, and is sent at the next start.
 */
export class DeadLetters {
  readonly #config: WriterConfig
  readonly #clock: Clock
  readonly #writer: LetterSink
  readonly #spool: Spool | undefined
  readonly #log: Log
  readonly #tell: (event: DeadLettersEvent) => void
  readonly #gate: Gate
  readonly #stopped = new AbortController()
  readonly #rests = new Map<string, { readonly untilMs: number; readonly reason: unknown }>()
  readonly #under = new Set<Promise<void>>()
  readonly #counts = { topic: 0, spool: 0, nowhere: 0, resent: 0 }

  /** @throws ConfigError for a folder that cannot be used */
  static async open(
    config: WriterConfig,
    clock: Clock,
    writer: LetterSink,
    log: Log,
    tell: (event: DeadLettersEvent) => void,
  ): Promise<DeadLetters> {
    const { spoolDir, spoolMaxBytes } = config
    const spool = spoolDir === undefined ? undefined : await Spool.open(spoolDir, spoolMaxBytes, clock)
    const opened = new DeadLetters(config, clock, writer, log, tell, spool)
    if (spool) void opened.#track(opened.#resendFrom(spool))
    return opened
  }

  private constructor(
    config: WriterConfig,
    clock: Clock,
    writer: LetterSink,
    log: Log,
    tell: (event: DeadLettersEvent) => void,
    spool: Spool | undefined,
  ) {
    this.#config = config
    this.#clock = clock
    this.#writer = writer
    this.#log = log
    this.#tell = tell
    this.#spool = spool
    this.#gate = new Gate({ maxRecords: maxInFlight, maxWaiting: Number.MAX_SAFE_INTEGER, clock })
  }

  /** Resolves when all are written, spooled or told to be lost. Never rejects. */
  bury(failed: FailedRecords): Promise<void> {
    return this.#track(this.#bury(failed))
  }

  /** Writes nothing more: what is under way and what comes goes to the spool. Resolves when that is done. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the producer was closed'))
    while (this.#under.size > 0) await Promise.all(this.#under)
    await this.#spool?.close()
    await this.#writer.close(0)
  }

  inspect(): DeadLettersState {
    const { topic, spool, nowhere, resent } = this.#counts
    return { written: topic, spooled: spool, lost: nowhere, resent, spoolBytes: this.#spool?.bytes ?? 0 }
  }

  async #track(work: Promise<void>): Promise<void> {
    this.#under.add(work)
    await work.finally(() => this.#under.delete(work))
  }

  async #bury(failed: FailedRecords): Promise<void> {
    const { records, error } = failed
    // Dead letters of dead letters would only go in circles.
    if (isOwnTopic(error.topic)) return
    const letters = records.map((record) => this.#letterOf(record, failed))
    const unwritten: DeadLetterRecord[] = []
    let cause: unknown
    const write = async (letter: DeadLetterRecord): Promise<void> => {
      try {
        await this.#write(letter)
      } catch (why) {
        cause = why
        unwritten.push(letter)
      }
    }
    await Promise.all(letters.map(write))
    this.#count(failed, 'topic', letters.length - unwritten.length, undefined)
    if (unwritten.length > 0) await this.#keep(failed, unwritten, cause)
  }

  async #keep(failed: FailedRecords, letters: readonly DeadLetterRecord[], cause: unknown): Promise<void> {
    const kept = await this.#spool?.append(letters)
    const why = kept?.error ?? cause
    const spooled = kept?.letters ?? 0
    this.#count(failed, 'spool', spooled, why)
    this.#count(failed, 'nowhere', letters.length - spooled, why)
  }

  /** @throws where it is not in its topic, as far as is known, when its time is over */
  async #write(letter: DeadLetterRecord): Promise<void> {
    await this.#gate.acquire(0, { signal: this.#stopped.signal })
    try {
      this.#stopped.signal.throwIfAborted()
      const rest = this.#rests.get(letter.topic)
      if (letter.partition < 0) throw new Error(`the partitions of ${letter.topic} are not known`)
      // The reason that the one before could not be written is the reason of this one too.
      if (rest && rest.untilMs > this.#clock.monotonicMs()) throw rest.reason
      await this.#writeInTime(letter)
    } finally {
      this.#gate.release(0)
    }
  }

  async #writeInTime(letter: DeadLetterRecord): Promise<void> {
    const { timeoutMs } = this.#config
    const isOver = new AbortController()
    let lastError: unknown
    const timer = this.#clock.setTimeout(() => {
      const reason = lastError ?? new Error(`a dead letter was not acknowledged within ${timeoutMs} ms`)
      this.#rests.set(letter.topic, { untilMs: this.#clock.monotonicMs() + restMs, reason })
      isOver.abort(reason)
    }, timeoutMs)
    const signal = AbortSignal.any([isOver.signal, this.#stopped.signal])
    try {
      await orAborted(this.#writer.write(letter, { signal, onFailure: (error) => (lastError = error) }), signal)
    } finally {
      timer.cancel()
    }
  }

  #count({ error }: FailedRecords, place: DeadLetterPlace, records: number, cause: unknown): void {
    if (records === 0) return
    this.#counts[place] += records
    const { topic, partition } = error
    this.#tell({ topic, partition, records, place, error, cause })
    // That a topic does not exist the rejected promise has told already.
    if (place === 'spool' || (place === 'nowhere' && partition >= 0)) this.#warn(topic, place, cause)
  }

  #warn(topic: string, place: DeadLetterPlace, cause: unknown): void {
    const fate = place === 'spool' ? `are kept in ${this.#config.spoolDir} until the next start` : 'are not kept'
    this.#log.write({
      kind: `deadLetters ${place} ${topic}`,
      level: 'error',
      message: `Dead letters of ${topic} cannot be written and ${fate}: ${messageOf(cause)}`,
      facts: { event: 'deadLetters', topic, place, ...(cause instanceof Error && { err: cause }) },
      warns: true,
    })
  }

  #letterOf(record: PendingRecord, { error, outcome, attempts }: FailedRecords): DeadLetterRecord {
    const { key, value, headers = [], timestampMs } = record
    const cause = error.cause instanceof Error ? error.cause : error
    return {
      topic: error.topic,
      partition: error.partition,
      key,
      value,
      timestampMs,
      compression: this.#config.compression,
      headers: deadLetterHeaders(
        headers.map(([name, content]) => [name.toString(), content] as const),
        {
          topic: error.topic,
          partition: error.partition,
          offset: -1,
          timestampMs,
          group: null,
          attempts,
          stage: 'delivery',
          errorClass: cause.name,
          errorMessage: error.message,
          failedAtMs: Math.floor(this.#clock.now()),
          outcome,
          replays: 0,
        },
      ),
    }
  }

  /** Sends what earlier processes have left, for as long as it takes. */
  async #resendFrom(spool: Spool): Promise<void> {
    const { signal } = this.#stopped
    const resending = resend({
      spool,
      clock: this.#clock,
      signal,
      write: async (letter) => {
        await orAborted(this.#writer.write(letter, { signal, onFailure: () => {} }), signal)
      },
      onResent: () => this.#counts.resent++,
    })
    await resending.catch(() => {})
  }
}
