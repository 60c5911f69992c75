import { brokerError, errorCode } from '../driver/classify.ts'
import type { BrokerError } from '../errors.ts'

const unknownTopic = errorCode('UNKNOWN_TOPIC_OR_PARTITION')

/**
 * A topic that was created just now may be unknown to a broker for a moment. One that stays unknown for this long does
 * not exist: whoever waits for it is told before a test runner's own timeout.
 */
export const unknownTopicGraceMs = 1_500

/** Why a topic cannot be used. `code`: of its metadata; undefined: the cluster does not know it. */
export function topicError(topic: string, code = unknownTopic): BrokerError {
  if (code !== unknownTopic) return brokerError(code, null, { topic })
  const advice = `it does not exist; create it with kafka.admin().createTopics or \`sluice topics create ${topic}\``
  return brokerError(code, advice, { topic })
}

export function isUnknownTopic(error: unknown): boolean {
  return (error as { readonly apiCode?: unknown }).apiCode === unknownTopic
}
