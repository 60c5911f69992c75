import { messageOf, nameOf } from '@sluice/flow/internal'
import type { LinesOf } from '@sluice/kafka'
import type { SinkEvents } from './events.ts'

/** How a sink's events are logged: see docs/logging.md of the project, which a test compares with it. */
export const sinkLines: LinesOf<SinkEvents> = {
  committed: {
    level: 'debug',
    say: ({ topic, partition, records }) => `${topic}/${partition}: committed the effects of ${records} records`,
  },
  retrying: {
    level: 'warn',
    // A deadlock, or a server that restarts, passes.
    warns: ({ attempt }) => attempt >= 4,
    kind: ({ fault }) => fault,
    say: ({ topic, partition, attempt, retryInMs, error }) =>
      `${topic}/${partition}: a batch failed at attempt ${attempt}, the next is in ${retryInMs} ms: ${messageOf(error)}`,
  },
  deadLettered: {
    level: 'warn',
    warns: true,
    say: ({ topic, partition, offset, attempts, error }) =>
      `${topic}/${partition} at offset ${offset}: failed for good after ${attempts} attempts, the record is on its way to ${topic}.dlq: ${nameOf(error)}: ${messageOf(error)}`,
  },
  settled: {
    level: 'info',
    say: ({ topic, partition, committed }) =>
      `${topic}/${partition}: a COMMIT whose answer was lost ${committed ? 'took effect' : 'did not take effect'}`,
  },
  fenced: {
    level: 'warn',
    say: ({ topic, partition }) => `${topic}/${partition}: another instance had taken the partition's row`,
  },
}
