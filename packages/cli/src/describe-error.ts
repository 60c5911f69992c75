import { printable } from './output/printable.ts'

const whereKafkaIs = '--bootstrap or KAFKA_BOOTSTRAP_SERVERS say where it is'

/** What to do about errors of Kafka that do not say it themselves, by Kafka's name of them or by our code. */
const remedies: ReadonlyMap<string, string> = new Map(
  Object.entries({
    TOPIC_AUTHORIZATION_FAILED: 'this user may not do that with this topic: grant it with an ACL',
    GROUP_AUTHORIZATION_FAILED: 'this user may not do that with this group: grant it with an ACL',
    CLUSTER_AUTHORIZATION_FAILED:
      'this user may not do that with the cluster; a producer needs the right to write to some topic: grant it with an ACL',
    INVALID_TOPIC_EXCEPTION: 'a topic name has at most 249 of a-z, A-Z, 0-9, . _ and -',
    TOPIC_ALREADY_EXISTS: '--if-not-exists accepts a topic that exists already',
    UNKNOWN_TOPIC_OR_PARTITION: '`sluice topics list` shows what there is',
    GROUP_SUBSCRIBED_TO_TOPIC: 'a member of the group reads this topic: stop it first',
    POLICY_VIOLATION: 'records can be deleted only where `cleanup.policy` of the topic contains delete',
    GROUP_ID_NOT_FOUND: '`sluice groups list` shows what there is',
    connection_failed: `see that Kafka runs there; ${whereKafkaIs}`,
    authentication_failed: 'check KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD',
    token_failed: 'check KAFKA_SASL_OAUTHBEARER_TOKEN_FILE or KAFKA_SASL_OAUTHBEARER_TOKEN',
  }),
)

/** Of an error that names no reason: nothing was refused, and no address known to be wrong. */
const remedyOfSilence = `see that Kafka runs and answers: it may be frozen or overloaded, or the network drop what is sent; ${whereKafkaIs}`

/** One line about an error: its code, what is wrong, and what to do where that is known. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return printable(String(error))
  const { code, apiError, remedy } = error as { code?: unknown; apiError?: unknown; remedy?: unknown }
  const prefix = typeof code === 'string' ? `${code}: ` : ''
  const isSilence = code === 'cluster_timed_out' && error.cause === undefined
  const ofCode = isSilence ? remedyOfSilence : remedies.get(String(code))
  const known = typeof remedy === 'string' ? remedy : (remedies.get(String(apiError)) ?? ofCode)
  const suffix = known === undefined ? '' : ` - ${known}`
  return printable(`${prefix}${error.message}${suffix}`.replaceAll(/\s*\n\s*/g, ' '))
}
