import { messageOf } from '@sluice/flow/internal'
import { mayPass, type LinesOf } from '../log/lines.ts'
import type { ProducerEvents } from './events.ts'

/** How a producer's events are logged: see docs/logging.md, which a test compares with it. */
export const producerLines: LinesOf<ProducerEvents> = {
  throttled: { level: 'info', say: ({ records }) => `the queue is at its high watermark: ${records} records` },
  released: { level: 'info', say: ({ records }) => `the queue is back at its low watermark: ${records} records` },
  breaker: {
    level: ({ to }) => (to === 'open' ? 'warn' : 'info'),
    warns: ({ to }) => to === 'open',
    say: ({ from, to, reason }) => `the circuit breaker went from ${from} to ${to}: ${reason}`,
  },
  // The rejected promises tell of each record. That dead letters cannot be written is a line of its own.
  deadLetters: {
    level: 'warn',
    kind: ({ place }) => place,
    say: ({ topic, records, place, error }) =>
      `${records} records of ${topic} failed for good, ${fates[place]}: ${error.message}`,
  },
  error: {
    level: 'warn',
    warns: true,
    isBrief: mayPass,
    kind: ({ during }) => during,
    say: ({ during, error }) => `${activities[during]} failed and is tried again: ${messageOf(error)}`,
  },
}

const fates = {
  topic: 'their dead letters are written',
  spool: 'their dead letters are kept on this machine',
  nowhere: 'their dead letters are lost',
} as const

const activities = { produce: 'a Produce request', metadata: 'the search for the leaders' } as const
