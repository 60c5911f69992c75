/** Settings of a broker whose groups notice within `sessionTimeoutMs` that a member is gone. */
export function quickGroups(sessionTimeoutMs: number): Record<string, number> {
  return {
    'group.consumer.min.session.timeout.ms': 1_000,
    'group.consumer.session.timeout.ms': sessionTimeoutMs,
    'group.consumer.min.heartbeat.interval.ms': 100,
    'group.consumer.heartbeat.interval.ms': 300,
  }
}
