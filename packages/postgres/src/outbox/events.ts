/** What a relay emits while it runs. None of these stops it. */
export type OutboxRelayEvents = {
  /** Rows were acknowledged by Kafka and are deleted. */
  sent: { readonly rows: number }
  /** Rows of a bucket could not be sent. They, and those behind them, are tried again. */
  sendFailed: { readonly bucket: number; readonly topic: string; readonly retryInMs: number; readonly error: unknown }
  /** Kafka will never take this row. It stays in the table with the reason in `refused`, and is passed over. */
  refused: { readonly id: string; readonly topic: string; readonly error: unknown }
  /** The connection was lost, or Kafka could not be reached: it begins anew. */
  error: { readonly retryInMs: number; readonly error: unknown }
}
