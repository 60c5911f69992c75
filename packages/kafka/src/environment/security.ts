import { ConfigError } from '@sluice/flow'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { KafkaOptions } from '../config.ts'
import type { SaslOptions } from '../driver/connect-options.ts'
import type { EnvironmentReader } from './reader.ts'

const protocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] as const
const mechanisms = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'] as const

/** TLS and SASL as the environment has them. No error shows what a secret or a file of secrets holds. */
export function security(read: EnvironmentReader): Pick<KafkaOptions, 'tls' | 'sasl'> {
  const protocol = read.oneOf('KAFKA_SECURITY_PROTOCOL', protocols) ?? 'PLAINTEXT'
  return {
    ...(protocol.endsWith('SSL') && { tls: tlsOf(read) }),
    ...(protocol.startsWith('SASL') && { sasl: saslOf(read) }),
  }
}

function tlsOf(read: EnvironmentReader): TlsOptions {
  const ca = fileOf(read, 'KAFKA_SSL_CA_LOCATION')
  const cert = fileOf(read, 'KAFKA_SSL_CERTIFICATE_LOCATION')
  const key = fileOf(read, 'KAFKA_SSL_KEY_LOCATION')
  const passphrase = read.secret('KAFKA_SSL_KEY_PASSWORD')
  // One without the other would be left out in silence, and the broker would say only that it got no certificate.
  if (cert !== undefined) read.required('KAFKA_SSL_KEY_LOCATION')
  if (key !== undefined) read.required('KAFKA_SSL_CERTIFICATE_LOCATION')
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(passphrase !== undefined && { passphrase }),
  }
}

function saslOf(read: EnvironmentReader): SaslOptions {
  const mechanism = mechanismOf(read) ?? 'PLAIN'
  if (mechanism === 'OAUTHBEARER') return { mechanism, token: tokenOf(read) }
  const username = read.required('KAFKA_SASL_USERNAME')
  return { mechanism, username, password: read.requiredSecret('KAFKA_SASL_PASSWORD') }
}

/** Stands beside user and password: one of them may have taken its place, so what is wrong is not shown. */
function mechanismOf(read: EnvironmentReader): SaslOptions['mechanism'] | undefined {
  const value = read.text('KAFKA_SASL_MECHANISM')
  const found = mechanisms.find((one) => one === value)
  if (value === undefined || found !== undefined) return found
  throw ConfigError.hidden('KAFKA_SASL_MECHANISM', `one of ${mechanisms.join(', ')}`)
}

/** A file is read anew for every session: whoever renews tokens writes the next one there. */
function tokenOf(read: EnvironmentReader): string | (() => Promise<string>) {
  const path = read.text('KAFKA_SASL_OAUTHBEARER_TOKEN_FILE')
  if (path === undefined) return read.required('KAFKA_SASL_OAUTHBEARER_TOKEN')
  return async () => (await readFile(path, 'utf8')).trim()
}

function fileOf(read: EnvironmentReader, name: string): string | undefined {
  const path = read.text(name)
  try {
    return path === undefined ? undefined : readFileSync(path, 'utf8')
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
    throw new ConfigError(name, path, `a PEM file that can be read${why}`)
  }
}
