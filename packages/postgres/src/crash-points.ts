import { channel } from 'node:diagnostics_channel'

/**
 * Where a kill is worth a test, in the order of one batch: its position is written, its effects are done, COMMIT is about
 * to be sent, COMMIT was answered. (The fifth, after the Kafka commit, is the consumer's event `committed`.)
 */
export const crashPoints = ['offsets_updated', 'effects_done', 'before_commit', 'committed'] as const
export type CrashPoint = (typeof crashPoints)[number]

/** A test subscribes to it and ends the process; without a subscriber it costs nothing. */
const points = channel('sluice:postgres:crash-point')

export function crashPoint(name: CrashPoint): void {
  if (points.hasSubscribers) points.publish(name)
}
