import { ConfigError, systemClock, type Clock } from '@sluice/flow'
import { requireInteger } from '@sluice/flow/internal'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { Address, SaslOptions } from './driver/connect-options.ts'
import { requireKnownFields } from './known-fields.ts'
import { parseLogger, type Logger } from './log/logger.ts'

/** What `new Kafka` takes: where the cluster is, how to log in, and the times for all requests. */
export interface KafkaOptions {
  /**
   * Where to begin: `host:port` each, port 9092 where none is given; a list, or a text with commas. The others are
   * found from there. Empty elements are ignored. Kafka: `bootstrap.servers`.
   */
  readonly brokers: string | readonly string[]
  /** What brokers know this client by, in logs, metrics and quotas. Default `sluice`. Kafka: `client.id`. */
  readonly clientId?: string | undefined
  /** For a connection and its first answer, from 1. Default 5,000. Kafka: `socket.connection.setup.timeout.ms`. */
  readonly connectTimeoutMs?: number | undefined
  /** How long a broker may take to answer, from 1. Default 30,000. Kafka: `request.timeout.ms`. */
  readonly requestTimeoutMs?: number | undefined
  /**
   * The largest response that is read from a broker, in bytes, on top of what a fetch asks for, from 1,048,576. A larger
   * one ends the connection before it is read into memory. Raise it where a topic's `max.message.bytes` is larger.
   * librdkafka calls this `receive.message.max.bytes`. Default 134,217,728.
   */
  readonly maxResponseBytes?: number | undefined
  /**
   * How long what is known of the topics in use is believed before it is read again, from 1. Default 300,000. Kafka:
   * `metadata.max.age.ms`.
   */
  readonly metadataMaxAgeMs?: number | undefined
  /** Encrypts; `{}` trusts the system's authorities. Default: no TLS. */
  readonly tls?: TlsOptions | undefined
  /** How to log in. Default: without. */
  readonly sasl?: SaslOptions | undefined
  /**
   * Where the client says what happens: pino, a `Console`, or anything with `debug`, `info`, `warn` and `error` that
   * take facts and a message. Default: what goes wrong where nobody listens becomes a process warning, at most once a
   * minute for each kind. docs/logging.md lists what is logged at which level.
   */
  readonly logger?: Logger | Console | undefined
  readonly clock?: Clock | undefined
}

/** All settings of a `Kafka`, checked and filled in. */
export interface KafkaConfig {
  readonly brokers: readonly Address[]
  readonly clientId: string
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly maxResponseBytes: number
  readonly metadataMaxAgeMs: number
  readonly tls: TlsOptions | undefined
  readonly sasl: SaslOptions | undefined
  readonly logger: Logger | undefined
  readonly clock: Clock
}

const defaultPort = 9_092
const maxInt32 = 2 ** 31 - 1

const fields: Readonly<Record<keyof KafkaOptions, true>> = {
  brokers: true,
  clientId: true,
  connectTimeoutMs: true,
  requestTimeoutMs: true,
  maxResponseBytes: true,
  metadataMaxAgeMs: true,
  tls: true,
  sasl: true,
  logger: true,
  clock: true,
}

/** @throws ConfigError for a value that makes no sense, and for an unknown setting */
export function parseKafkaOptions(options: KafkaOptions): KafkaConfig {
  requireKnownFields('', options, fields)
  const timeout = (field: string, value: number | undefined, standard: number): number =>
    requireInteger(field, value ?? standard, { min: 1, max: maxInt32 })
  return Object.freeze({
    brokers: parseBrokers('brokers', options.brokers),
    clientId: parseClientId(options.clientId ?? 'sluice'),
    connectTimeoutMs: timeout('connectTimeoutMs', options.connectTimeoutMs, 5_000),
    requestTimeoutMs: timeout('requestTimeoutMs', options.requestTimeoutMs, 30_000),
    maxResponseBytes: requireInteger('maxResponseBytes', options.maxResponseBytes ?? 134_217_728, {
      min: 1_048_576,
      max: maxInt32,
    }),
    metadataMaxAgeMs: timeout('metadataMaxAgeMs', options.metadataMaxAgeMs, 300_000),
    tls: options.tls,
    sasl: options.sasl && parseSasl(options.sasl),
    logger: parseLogger(options.logger),
    clock: options.clock ?? systemClock,
  })
}

/** Empty elements are ignored, as Java's client does: they are what a trailing comma leaves. */
function parseBrokers(field: string, brokers: unknown): readonly Address[] {
  const given: unknown = typeof brokers === 'string' ? brokers.split(',').map((broker) => broker.trim()) : brokers
  const list: readonly unknown[] = Array.isArray(given) ? given : []
  const addresses = list.filter((broker) => typeof broker !== 'string' || broker.trim() !== '')
  if (addresses.length === 0) {
    const allowed = 'one address or more, such as localhost:9092'
    if (!Array.isArray(given)) throw new ConfigError(field, brokers, allowed)
    throw new ConfigError(field, brokers, allowed, `${field} is empty: name ${allowed}`)
  }
  return Object.freeze(addresses.map((broker) => parseAddress(field, broker)))
}

/** `host`, `host:port`, `[::1]:port`. */
function parseAddress(field: string, address: unknown): Address {
  const parts = typeof address === 'string' ? /^(?:\[([0-9a-f:.]+)\]|([^\s:/[\]]+))(?::(\d+))?$/i.exec(address) : null
  const host = parts?.[1] ?? parts?.[2]
  const port = parts?.[3] === undefined ? defaultPort : Number(parts[3])
  if (host === undefined || port < 1 || port > 65_535) {
    const allowed = 'a host and a port from 1 to 65535, such as localhost:9092'
    // What stands before an @ is a login.
    if (typeof address === 'string' && address.includes('@')) throw ConfigError.hidden(field, allowed)
    throw new ConfigError(field, address, allowed)
  }
  return Object.freeze({ host, port })
}

function parseClientId(value: unknown): string {
  if (typeof value === 'string' && value.length > 0 && value.length <= 249) return value
  throw new ConfigError('clientId', value, 'a text of 1 to 249 characters')
}

const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const

function parseSasl(sasl: SaslOptions): SaslOptions {
  if (!mechanisms.includes(sasl.mechanism)) {
    throw ConfigError.hidden('sasl.mechanism', `one of ${mechanisms.join(', ')}`)
  }
  const needed = sasl.mechanism === 'OAUTHBEARER' ? (['token'] as const) : (['username', 'password'] as const)
  for (const field of needed) {
    // A secret is named, never shown.
    if (!sasl[field]) throw new ConfigError(`sasl.${field}`, undefined, `given for ${sasl.mechanism}`)
  }
  return Object.freeze({ ...sasl })
}
