import { messageOf } from '@sluice/flow/internal'
import { mayPass, type LinesOf } from '../log/lines.ts'
import type { ReaderEvents } from './events.ts'

/** How a reader's events are logged: see docs/logging.md, which a test compares with it. */
export const readerLines: LinesOf<ReaderEvents> = {
  error: {
    level: 'warn',
    warns: true,
    isBrief: mayPass,
    kind: ({ during }) => during,
    say: ({ during, error }) => `reading: ${during} failed and is tried again: ${messageOf(error)}`,
  },
  moved: {
    level: 'warn',
    warns: true,
    say: ({ topic, partition, offset, from }) =>
      `reading ${topic}/${partition} goes on at offset ${offset} instead of ${from}: the log does not have that any more`,
  },
  unreadable: { level: 'warn', warns: true, say: ({ error }) => `skipped: ${error.message}` },
}
