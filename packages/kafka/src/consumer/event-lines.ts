import { messageOf, nameOf } from '@sluice/flow/internal'
import { isInstance } from '../is-instance.ts'
import { mayPass, type LinesOf } from '../log/lines.ts'
import { PostponedError } from './errors.ts'
import type { ConsumerEvents } from './events.ts'
import type { OffsetPlace } from '../record/places.ts'

/** How a consumer's events are logged: see docs/logging.md, which a test compares with it. */
export const consumerLines: LinesOf<ConsumerEvents> = {
  assigned: { level: 'info', say: ({ partitions }) => `assigned ${counted(partitions.length, 'partition')}` },
  revoked: {
    level: 'info',
    say: ({ partitions, abandonedHandlers }) =>
      `gave back ${counted(partitions.length, 'partition')}` +
      (abandonedHandlers === 0 ? '' : `; ${counted(abandonedHandlers, 'handler')} did not end in time`),
  },
  lost: {
    level: 'warn',
    warns: true,
    say: ({ partitions, reason }) =>
      `the group took ${counted(partitions.length, 'partition')} away; what was not committed is handled again elsewhere: ${messageOf(reason)}`,
  },
  committed: { level: 'debug', say: ({ offsets }) => `committed ${counted(offsets.length, 'offset')}` },
  reset: {
    level: ({ reason }) => (reason === 'no_committed_offset' ? 'info' : 'warn'),
    warns: ({ reason }) => reason !== 'no_committed_offset',
    kind: ({ reason }) => reason,
    say: (event) => `${placeOf(event)}: ${resetReasons[event.reason]}`,
  },
  startedAtEnd: {
    level: 'warn',
    warns: true,
    say: ({ topic, records }) =>
      `${topic} holds ${counted(records, 'record')} that this new group does not read: it starts at the end. ` +
      `Set reset: 'earliest' to read them, or reset: 'latest' to start at the end without this warning`,
  },
  topicRecreated: {
    level: 'warn',
    warns: true,
    say: ({ topic }) => `${topic} was deleted and created again: its former records are gone`,
  },
  topicMissing: {
    level: 'warn',
    warns: true,
    kind: ({ topic }) => topic,
    say: ({ topic }) =>
      `the topic ${topic} does not exist: nothing of it is read until it is created, with kafka.admin().createTopics or \`sluice topics create ${topic}\``,
  },
  handlerFailed: {
    level: ({ error }) => (isInstance(error, PostponedError) ? 'debug' : 'warn'),
    say: (event) =>
      `${placeOf(event)}: the handler failed at attempt ${event.attempt}, the next is in ${event.retryInMs} ms: ${shown(event.error)}`,
  },
  handlerTimedOut: {
    level: 'warn',
    warns: true,
    say: (event) => `${placeOf(event)}: the handler takes longer than ${event.timeoutMs} ms; its signal was aborted`,
  },
  handlerAbandoned: {
    level: 'warn',
    warns: true,
    say: (event) => `${placeOf(event)}: the handler ignores its aborted signal; it is not waited for any longer`,
  },
  deadLettered: {
    level: 'warn',
    warns: true,
    kind: ({ omitted }) => (omitted.length === 0 ? '' : 'reduced'),
    say: (event) =>
      `${placeOf(event)}: failed for good after ${counted(event.attempts, 'attempt')}, the record is in ${event.to}: ${shown(event.error)}` +
      (event.omitted.length === 0
        ? ''
        : `. It was written without its whole ${event.omitted.join(', ')}: raise max.message.bytes of ${event.to}`),
  },
  deadLetterFailed: {
    level: 'error',
    warns: true,
    say: (event) =>
      `${placeOf(event)}: the dead letter cannot be written, and the records behind it wait: ${messageOf(event.error)}`,
  },
  unreadable: {
    level: 'warn',
    warns: true,
    kind: ({ error }) => codeOf(error.cause),
    say: ({ error }) => `skipped: ${error.message}`,
  },
  stuck: {
    level: 'warn',
    warns: true,
    say: (event) =>
      `${placeOf(event)}: its handler has run for ${Math.round(event.runningMs / 1_000)} s, and the records behind it wait`,
  },
  suspended: {
    level: 'warn',
    warns: true,
    say: ({ silentMs }) =>
      `no heartbeat was answered for ${Math.round(silentMs)} ms: no handler is called until one is, since the group may have given the partitions to others`,
  },
  resumed: { level: 'info', say: () => 'heartbeats are answered again: handlers are called again' },
  pressure: {
    level: 'debug',
    say: ({ condition, active, value }) => `pressure by ${condition} ${active ? 'begins' : 'ends'} at ${value}`,
  },
  clusterLost: {
    level: 'error',
    warns: true,
    say: ({ reason }) => `no broker can be reached: ${messageOf(reason)}`,
  },
  clusterBack: { level: 'info', say: ({ lostMs }) => `a broker can be reached again, after ${Math.round(lostMs)} ms` },
  stableOffsetHeld: {
    level: 'warn',
    warns: true,
    say: (event) =>
      `${placeOf(event)}: an open transaction has held the records behind it back for ${Math.round(event.heldMs / 1_000)} s`,
  },
  error: {
    level: 'warn',
    warns: true,
    isBrief: mayPass,
    kind: ({ during }) => during,
    say: ({ during, error }) => `${during} failed and is tried again: ${messageOf(error)}`,
  },
}

const resetReasons = {
  no_committed_offset: 'the group has committed no offset: it starts where the setting reset says',
  offset_out_of_range:
    'its position is no longer in the log, records were deleted before they were handled: it goes on where the setting reset says',
  log_diverged: 'the log was cut behind the last record that was read: it goes on there',
} as const

function placeOf({ topic, partition, offset }: OffsetPlace): string {
  return `${topic}/${partition} at offset ${offset}`
}

/** `TypeError: text`, as a stack begins. */
function shown(error: unknown): string {
  return `${nameOf(error)}: ${messageOf(error)}`
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function codeOf(cause: unknown): string {
  return typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : 'other'
}
