/**
 * By which effects happen once: from topic to topic in one transaction; in PostgreSQL with the position of the batch; by
 * a handler whose record is marked in the transaction of its effects.
 */
export const ways = ['pipe', 'sink', 'handler'] as const
export type Way = (typeof ways)[number]

/** The named points of each way, each with how many of its passes may be survived. */
export const pointsOf: Readonly<Record<Way, Readonly<Record<string, number>>>> = {
  pipe: { begin: 6, outputs: 6, offsets: 6, end_sent: 6, committed: 6 },
  sink: { offsets_updated: 30, effects_done: 30, before_commit: 30, committed: 30, kafka_committed: 5 },
  handler: { marked: 300, effects_done: 300, committed: 300, kafka_committed: 5 },
}

/** A member kills itself there, or stops itself as a frozen machine does. */
export interface FaultPoint {
  readonly kind: 'kill' | 'freeze'
  readonly at: string
  /** So often it passes before. */
  readonly survive: number
  /** So much later: what was sent at the point is on its way. */
  readonly thenMs?: number
}
