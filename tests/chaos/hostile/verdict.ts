import type { Coverage } from './coverage.ts'
import type { Unreadables } from './topics.ts'

/** What one way of reading made of one topic. */
export interface HostileReading {
  readonly way: string
  readonly topic: string
  /** The next offset of each partition. */
  readonly ends: readonly number[]
  readonly handled: Coverage
  readonly letters: Coverage
  readonly unreadable: Coverage
  readonly mayBeUnreadable: Unreadables
  /** Whether those may be missing without a report. */
  readonly hasGaps: boolean
  /** Whether a second effect of a record is an anomaly. */
  readonly isExactlyOnce: boolean
}

/** What must not be: an offset without an end, a sound record that was passed over, an effect that came twice. */
export function hostileAnomalies(reading: HostileReading): string[] {
  const { way, topic, ends, handled, letters, unreadable, mayBeUnreadable, hasGaps, isExactlyOnce } = reading
  const found: string[] = []
  const note = (what: string, partition: number, offset: number): void => {
    found.push(`${way}: ${topic}/${partition} at offset ${offset}: ${what}`)
  }
  ends.forEach((end, partition) => {
    for (let offset = 0; offset < end; offset++) {
      const effects = handled.times(topic, partition, offset) + letters.times(topic, partition, offset)
      const isReported = unreadable.times(topic, partition, offset) > 0
      const isPoor = mayBeUnreadable.get(partition)?.has(offset) === true
      if (effects === 0 && !isReported && !(hasGaps && isPoor))
        note('neither handled, dead-lettered nor reported', partition, offset)
      else if (effects === 0 && !isPoor) note('sound, but not read', partition, offset)
      if (isExactlyOnce && effects > 1) note(`${effects} effects`, partition, offset)
    }
  })
  return found.length > 5 ? [...found.slice(0, 5), `${way}: ${topic}: ${found.length - 5} more`] : found
}
