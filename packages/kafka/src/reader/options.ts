import { ConfigError } from '@sluice/flow'
import { requireInteger, requireNumber, requireOneOf } from '@sluice/flow/internal'
import { defaultLimits } from '../batch/decode.ts'
import { type DecodeLimits } from '../batch/decoded.ts'
import type { AnyTopic } from '../record/sources.ts'
import type { OffsetPlace } from '../record/places.ts'
import { unreadablePolicies, type UnreadablePolicy } from '../incoming/unreadable.ts'
import type { Isolation } from '../driver/driver.ts'
import { requireKnownFields } from '../known-fields.ts'

/**
 * Where to begin in each partition. Offsets outside the log are brought to its nearer end. `last`: so many offsets
 * before the end. `offsets`: these partitions alone, each from its own offset.
 */
export type ReadFrom =
  | 'earliest'
  | 'latest'
  | { readonly offset: number }
  | { readonly timestampMs: number }
  | { readonly last: number }
  | { readonly offsets: readonly OffsetPlace[] }

/** What `kafka.reader` takes. */
export interface ReaderOptions<T extends AnyTopic = AnyTopic> {
  /** At least one. */
  readonly topics: readonly T[]
  /** Of every topic only these. Default: all. */
  readonly partitions?: readonly number[] | undefined
  /** Default `earliest`. */
  readonly from?: ReadFrom | undefined
  /** Goes on with what comes, partitions that are added too. Default false: ends where the log ended at the start. */
  readonly follow?: boolean | undefined
  /** Default `read_committed`. */
  readonly isolation?: Isolation | undefined
  /** What may be fetched ahead of who reads, from 65,536. A batch that is larger passes alone. Default 16,777,216. */
  readonly maxBytes?: number | undefined
  /** What one batch may take once decompressed, from 1. Default 134,217,728. */
  readonly maxDecodedBytes?: number | undefined
  /** Headers of one record, from 1. Default 10,000. */
  readonly maxHeaders?: number | undefined
  /** Bytes of the headers of one record, from 1. Default 16,777,216. */
  readonly maxHeaderBytes?: number | undefined
  /**
   * What becomes of records that cannot be read. `skip`: an `unreadable` event names them (a process warning, where
   * nobody listens to it), and reading goes on behind them. `stop`: an UnreadableBatchError. Default `skip`.
   */
  readonly unreadable?: UnreadablePolicy | undefined
  /** How long no broker may answer before reading fails, from 1. Default 60,000: a frozen leader is given up by then. `Infinity` with `follow`. */
  readonly patienceMs?: number | undefined
  /**
   * Where this reader runs, in the words of the brokers' `broker.rack`: partitions are fetched from a replica in the
   * same rack where there is one, if the brokers' `replica.selector.class` is `RackAwareReplicaSelector`. Kafka:
   * `client.rack`. 1 to 4,096 characters. Default: none, every fetch goes to the leader.
   */
  readonly rackId?: string | undefined
}

export interface ReaderSettings<T extends AnyTopic = AnyTopic> {
  readonly topics: readonly T[]
  readonly partitions: ReadonlySet<number> | undefined
  readonly from: ReadFrom
  readonly follow: boolean
  readonly isolation: Isolation
  readonly maxBytes: number
  readonly limits: DecodeLimits
  readonly unreadable: UnreadablePolicy
  readonly patienceMs: number
  readonly fetchMaxWaitMs: number
  readonly rackId: string | null
}

const fields: Readonly<Record<keyof ReaderOptions, true>> = {
  topics: true,
  partitions: true,
  from: true,
  follow: true,
  isolation: true,
  maxBytes: true,
  maxDecodedBytes: true,
  maxHeaders: true,
  maxHeaderBytes: true,
  unreadable: true,
  patienceMs: true,
  rackId: true,
}

/** @throws ConfigError for a value that makes no sense, and for an unknown setting */
export function parseReaderOptions<T extends AnyTopic>(options: ReaderOptions<T>): ReaderSettings<T> {
  requireKnownFields('', options, fields)
  const { topics, partitions, from = 'earliest', follow = false, isolation = 'read_committed' } = options
  if (!Array.isArray(topics) || topics.length === 0) throw new ConfigError('topics', topics, 'at least one topic')
  if (isolation !== 'read_committed' && isolation !== 'read_uncommitted') {
    throw new ConfigError('isolation', isolation, 'read_committed or read_uncommitted')
  }
  return {
    topics,
    partitions: partitions && new Set(partitions.map((one) => requireInteger('partitions', one, { min: 0 }))),
    from: parseFrom(from),
    follow,
    isolation,
    maxBytes: requireInteger('maxBytes', options.maxBytes ?? 16_777_216, { min: 65_536 }),
    limits: parseLimits(options),
    unreadable: requireOneOf('unreadable', options.unreadable ?? 'skip', unreadablePolicies),
    patienceMs: requireNumber('patienceMs', options.patienceMs ?? (follow ? Infinity : 60_000), {
      min: 1,
      max: Infinity,
    }),
    fetchMaxWaitMs: 500,
    rackId: parseRack(options.rackId),
  }
}

function parseRack(rackId: string | undefined): string | null {
  if (rackId === undefined) return null
  if (typeof rackId === 'string' && rackId.length > 0 && rackId.length <= 4_096) return rackId
  throw new ConfigError('rackId', rackId, 'a text of 1 to 4,096 characters')
}

function parseLimits(options: ReaderOptions): DecodeLimits {
  const limit = (field: keyof DecodeLimits): number =>
    requireInteger(field, options[field] ?? defaultLimits[field], { min: 1 })
  return {
    maxDecodedBytes: limit('maxDecodedBytes'),
    maxHeaders: limit('maxHeaders'),
    maxHeaderBytes: limit('maxHeaderBytes'),
  }
}

function parseFrom(from: ReadFrom): ReadFrom {
  if (from === 'earliest' || from === 'latest') return from
  if (typeof from === 'object' && from !== null) {
    if ('offset' in from) requireInteger('from.offset', from.offset, { min: 0 })
    else if ('timestampMs' in from) requireInteger('from.timestampMs', from.timestampMs, { min: 0 })
    else if ('last' in from) requireInteger('from.last', from.last, { min: 0 })
    else if ('offsets' in from) {
      for (const { offset } of from.offsets) requireInteger('from.offsets', offset, { min: 0 })
    } else throw badFrom(from)
    return from
  }
  throw badFrom(from)
}

function badFrom(from: unknown): ConfigError {
  return new ConfigError('from', from, "'earliest', 'latest', or an object with offset, timestampMs, last or offsets")
}
