import { readFileSync } from 'node:fs'
import type { KafkaSecurity } from './security.ts'

/** What `new Kafka` of @sluice/kafka takes to reach a Kafka and log in; kafkajs and others take most of it too. */
export interface KafkaClientOptions {
  readonly brokers: readonly string[]
  /** Left out where the cluster is not secured. */
  readonly tls?: { readonly ca: string }
  /** Left out where the cluster is not secured. */
  readonly sasl?: {
    readonly mechanism: 'SCRAM-SHA-512'
    readonly username: string
    readonly password: string
  }
}

/** @param password of the user that `security` names; asked for only where there is one */
export function clientOptionsOf(
  bootstrapServers: string,
  security: KafkaSecurity | undefined,
  password: () => string,
): KafkaClientOptions {
  const brokers = bootstrapServers.split(',')
  if (security === undefined) return { brokers }
  const { mechanism, username, caFile } = security
  return { brokers, tls: { ca: readFileSync(caFile, 'utf8') }, sasl: { mechanism, username, password: password() } }
}
