import { messageOf } from '@sluice/flow/internal'
import type { LinesOf } from '@sluice/kafka'
import type { OutboxRelayEvents } from './events.ts'

/** How a relay's events are logged: see docs/logging.md of the project, which a test compares with it. */
export const relayLines: LinesOf<OutboxRelayEvents> = {
  sent: { level: 'debug', say: ({ rows }) => `${rows} rows were sent and deleted` },
  sendFailed: {
    level: 'warn',
    warns: true,
    say: ({ topic, retryInMs, error }) =>
      `rows for ${topic} could not be sent, the next attempt is in ${retryInMs} ms: ${messageOf(error)}`,
  },
  refused: {
    level: 'error',
    warns: true,
    say: ({ id, topic, error }) =>
      `Kafka will never take row ${id} for ${topic}, it stays in the table: ${messageOf(error)}`,
  },
  error: {
    level: 'warn',
    warns: true,
    say: ({ retryInMs, error }) => `the relay starts again in ${retryInMs} ms: ${messageOf(error)}`,
  },
}
