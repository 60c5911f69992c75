import { SluiceError } from '@sluice/flow'
import { messageOf } from '@sluice/flow/internal'
import type { ResetReason } from './events.ts'
import { describePlace, type OffsetPlace, type PartitionPlace } from '../record/places.ts'

/** A handler failed at its last attempt. The offset was not committed: the record will be read again. */
export class HandlerError extends SluiceError<'handler_failed'> {
  declare readonly topic: string
  declare readonly partition: number
  /** Of the first record of the batch, where the handler takes batches. */
  declare readonly offset: number
  /** Calls of the handler, in all. */
  declare readonly attempts: number

  constructor(place: OffsetPlace, attempts: number, cause: unknown) {
    super('handler_failed', `The handler failed ${attempts} times for ${describePlace(place)}: ${messageOf(cause)}`, {
      cause,
      facts: { topic: place.topic, partition: place.partition, offset: place.offset, attempts },
    })
  }
}

/** A handler did not settle within `handlerTimeoutMs`. It is the reason of the handler's aborted signal. */
export class HandlerTimeoutError extends SluiceError<'handler_timed_out'> {
  declare readonly topic: string
  declare readonly partition: number
  declare readonly offset: number
  /** The `handlerTimeoutMs` that was over. */
  declare readonly timeoutMs: number

  constructor(place: OffsetPlace, timeoutMs: number) {
    super('handler_timed_out', `The handler did not settle within ${timeoutMs} ms for ${describePlace(place)}`, {
      retriable: true,
      facts: { topic: place.topic, partition: place.partition, offset: place.offset, timeoutMs },
    })
  }
}

/**
 * For a handler to throw: the record cannot be handled now, for a reason that is not its own (what it needs is away, or
 * somebody else has it under way). It is tried again in its lane, with pauses that double, for as long as it takes, and
 * none of its attempts is used up.
 */
export class PostponedError extends SluiceError<'postponed'> {
  constructor(cause: unknown) {
    super('postponed', `The record is handled later: ${messageOf(cause)}`, { retriable: true, cause })
  }
}

/** The partition was taken away while its handler ran. It is the reason of the handler's aborted signal. */
export class RevokedError extends SluiceError<'partition_revoked'> {
  declare readonly topic: string
  declare readonly partition: number

  constructor(topic: string, partition: number) {
    super('partition_revoked', `${topic}/${partition} is no longer assigned to this consumer`, {
      facts: { topic, partition },
    })
  }
}

/** More handlers ignore their aborted signal than the consumer has slots. */
export class AbandonedHandlersError extends SluiceError<'handlers_abandoned'> {
  /** Handlers that ran on after they were given up. */
  declare readonly abandoned: number

  constructor(abandoned: number, concurrency: number) {
    super(
      'handlers_abandoned',
      `${abandoned} handlers did not settle after they were aborted, more than the ${concurrency} that may run at once`,
      { facts: { abandoned, concurrency } },
    )
  }
}

/** The group does not let this member in, or not any longer. */
export class MembershipError extends SluiceError<'membership_refused'> {
  declare readonly group: string

  constructor(group: string, message: string, cause?: unknown) {
    super('membership_refused', message, { cause, facts: { group } })
  }
}

/** There is no handler for the type of an event, nor a default. */
export class UnknownEventTypeError extends SluiceError<'event_type_unknown'> {
  declare readonly topic: string
  declare readonly partition: number
  declare readonly offset: number
  /** Null: the record does not say. */
  declare readonly eventType: string | null

  constructor(place: OffsetPlace, eventType: string | null) {
    const what = eventType === null ? 'No event type is said' : `No handler takes the event type ${eventType}`
    const { topic, partition, offset } = place
    super('event_type_unknown', `${what}: ${describePlace(place)}`, { facts: { topic, partition, offset, eventType } })
  }
}

/** Partitions have no position in the log, and the reset policy is `none`. */
export class NoPositionError extends SluiceError<'position_missing'> {
  declare readonly group: string
  /** Partitions without a committed offset. */
  declare readonly partitions: readonly PartitionPlace[]

  constructor(group: string, partitions: readonly PartitionPlace[], reason: ResetReason) {
    const names = partitions.map(({ topic, partition }) => `${topic}/${partition}`).join(', ')
    const why =
      reason === 'no_committed_offset'
        ? `Group ${group} has committed no offset for ${names}`
        : `What group ${group} has committed for ${names} is not in the log any more`
    super('position_missing', `${why}, and reset is 'none'`, { facts: { group, partitions } })
  }
}

/**
 * The position that a store keeps for a partition is not in its log: the log was cut, its records have expired, or the
 * position was changed by hand. Nothing is reset, since what the store holds beside it would not fit any more.
 */
export class OffsetOutsideLogError extends SluiceError<'offset_outside_log'> {
  declare readonly topic: string
  declare readonly partition: number
  declare readonly offset: number
  /** -1: unknown, the log of another leader was longer. */
  declare readonly logStart: number
  /** The end of the log, as the broker says. */
  declare readonly logEnd: number

  constructor(place: OffsetPlace, logStart: number, logEnd: number) {
    const { topic, partition, offset } = place
    super(
      'offset_outside_log',
      `The position kept for ${describePlace(place)} is outside its log of ${logStart} to ${logEnd}`,
      {
        facts: { topic, partition, offset, logStart, logEnd },
      },
    )
  }
}

/** Another live consumer uses the same state file. */
export class StateInUseError extends SluiceError<'state_in_use'> {
  declare readonly path: string
  declare readonly pid: number

  constructor(path: string, pid: number) {
    super(
      'state_in_use',
      `${path} belongs to a consumer that runs in process ${pid}: give each its own instanceName or stateDir`,
      { facts: { path, pid } },
    )
  }
}
