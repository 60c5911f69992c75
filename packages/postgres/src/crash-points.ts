import { channel } from 'node:diagnostics_channel'

/**
 * Where a kill is worth a test, in the order of one batch: its position is written, its effects are done, COMMIT is about
 * to be sent, COMMIT was answered. (The fifth, after the Kafka commit, is the consumer's event `committed`.)
 */
export const crashPoints = ['offsets_updated', 'effects_done', 'before_commit', 'committed'] as const
/** A moment in a batch of a sink at which a test can end the process. */
export type CrashPoint = (typeof crashPoints)[number]

/** Of a batch of the relay: its rows are locked and read, Kafka has them, they are deleted. */
export const relayCrashPoints = ['rows_read', 'rows_sent', 'rows_deleted'] as const
/** A moment in a batch of a relay at which a test can end the process. */
export type RelayCrashPoint = (typeof relayCrashPoints)[number]

/** A test subscribes to it and ends the process; without a subscriber it costs nothing. */
const points = channel('sluice:postgres:crash-point')

export function crashPoint(name: CrashPoint | RelayCrashPoint): void {
  if (points.hasSubscribers) points.publish(name)
}
