import { ConfigError, type Clock } from '@sluice/flow'
import { requireOneOf } from '@sluice/flow/internal'
import {
  deadLetterHeader,
  type ConsumerDeadLetterOptions,
  deadLetterTopic,
  type DeadLetterLog,
  type HeadersInput,
  type Kafka,
} from '@sluice/kafka'
import { TransactionTimeoutError } from '../errors.ts'
import type { StoredRow } from './outbox-table.ts'

export type OversizePolicy = NonNullable<ConsumerDeadLetterOptions['oversize']>

/** @throws ConfigError */
export function parseOversize(deadLetters: ConsumerDeadLetterOptions | undefined): OversizePolicy {
  if (deadLetters === undefined) return 'omit'
  if (typeof deadLetters !== 'object' || deadLetters === null)
    throw new ConfigError('deadLetters', deadLetters, 'an object such as { oversize: "stop" }')
  const unknown = Object.keys(deadLetters).find((field) => field !== 'oversize')
  if (unknown !== undefined) throw ConfigError.hidden(`deadLetters.${unknown}`, 'left out: there is only `oversize`')
  return requireOneOf('deadLetters.oversize', deadLetters.oversize ?? 'omit', ['omit', 'stop'])
}

/** The topic whose dead letter a row is. Undefined: it is a row of the user's, which may have headers of the same names. */
export function sourceOf({ topic, headers }: StoredRow): string | undefined {
  const [, value] = pairsOf(headers).find(([name]) => name === deadLetterHeader.topic) ?? []
  if (value === undefined || value === null) return undefined
  const source = Buffer.from(value).toString()
  return deadLetterTopic(source) === topic ? source : undefined
}

/** Writes dead letters that their topic has refused, in the form in which it takes them; opened with the first. */
export class RefusedLetters {
  readonly #kafka: Kafka
  readonly #clock: Clock
  readonly #oversize: OversizePolicy
  readonly #logs = new Map<string, DeadLetterLog>()

  constructor(kafka: Kafka, clock: Clock, oversize: OversizePolicy) {
    this.#kafka = kafka
    this.#clock = clock
    this.#oversize = oversize
  }

  /**
   * Resolves when it is acknowledged.
   * @throws DeadLetterRefusedError for what no attempt can mend; TransactionTimeoutError after `timeoutMs`
   */
  async write(source: string, row: StoredRow, headers: HeadersInput, timeoutMs: number): Promise<void> {
    const late = new AbortController()
    let last: unknown
    const timer = this.#clock.setTimeout(() => late.abort(new TransactionTimeoutError(timeoutMs, last)), timeoutMs)
    const letter = {
      partition: row.partition ?? -1,
      key: row.key as Buffer | null,
      value: row.value as Buffer | null,
      headers,
      ...(row.timestampMs !== undefined && { timestampMs: row.timestampMs }),
      // How its batch was compressed the row does not know; nothing makes it smaller.
      compression: 'zstd',
    } as const
    const onFailure = (error: unknown): void => void (last = error)
    try {
      await this.#log(source).write(letter, { signal: late.signal, oversize: this.#oversize, onFailure })
    } finally {
      timer.cancel()
    }
  }

  close(): void {
    for (const log of this.#logs.values()) log.close({ timeoutMs: 0 }).catch(() => {})
    this.#logs.clear()
  }

  #log(source: string): DeadLetterLog {
    let log = this.#logs.get(source)
    if (log === undefined) this.#logs.set(source, (log = this.#kafka.deadLetters(source)))
    return log
  }
}

type Pairs = readonly (readonly [name: string, value: string | Uint8Array | null])[]
const pairsOf = (headers: HeadersInput): Pairs => headers as Pairs
