import { createHash } from 'node:crypto'

/** The longest name that Kafka allows for a topic. */
const maxLength = 249

/** Where records of a topic go that nobody could handle, or that could not be written. */
export function deadLetterTopic(topic: string): string {
  return fitting(topic, '.dlq')
}

/** Where the records of a topic wait that a group is to handle again later. */
export function retryTopic(topic: string, group: string): string {
  return fitting(`${topic}.${escapeName(group)}`, '.retry')
}

/** Whether dead letters lie in a topic of this name. */
export function isDeadLetterTopic(name: string): boolean {
  return name.endsWith('.dlq')
}

/** Whether records wait in a topic of this name, for one group. */
export function isRetryTopic(name: string): boolean {
  return name.endsWith('.retry')
}

/** Topics that this runtime writes to by itself: a pattern never matches them. */
export function isOwnTopic(name: string): boolean {
  return isDeadLetterTopic(name) || isRetryTopic(name)
}

/** What a topic's name may not have, as `-xHH` a byte; what looks like that already is escaped as well. */
function escapeName(name: string): string {
  const unambiguous = name.replaceAll(/-(?=x[\dA-F]{2})/g, '-x2D')
  return unambiguous.replaceAll(/[^\w.-]/gu, (character) =>
    Array.from(Buffer.from(character), (byte) => `-x${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
}

/** A name that would be too long keeps its beginning, and a digest tells it from others. */
function fitting(name: string, suffix: string): string {
  if (name.length + suffix.length <= maxLength) return name + suffix
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 16)
  return `${name.slice(0, maxLength - suffix.length - digest.length - 1)}.${digest}${suffix}`
}
