import { StackError } from '@sluice/stack'

/** The settings of the services that ask for TLS or a login, and their values that do not. */
const PLAIN = { KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT', DB_TYPE: 'local' } as const

/**
 * The services can speak to secured servers; what the demo itself asks of Kafka and PostgreSQL, for its account at the
 * end, goes in the clear.
 * @throws StackError `environment_invalid`
 */
export function requirePlainServers(env: NodeJS.ProcessEnv): void {
  for (const [variable, plain] of Object.entries(PLAIN)) {
    const value = env[variable]?.trim() || plain
    if (value === plain) continue
    throw new StackError(
      'environment_invalid',
      `${variable} is ${value}, but the demo does not support secured servers`,
      `unset ${variable} (or set it to ${plain}), and let the demo start servers of its own`,
      { facts: { variable } },
    )
  }
}
