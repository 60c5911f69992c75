import { stackOf } from '@sluice/flow/internal'
import type { Compression } from '../../batch/batch.ts'
import { DecodeError } from '../../errors.ts'
import { isInstance } from '../../is-instance.ts'
import { OutputRefusedError } from '../../errors.ts'
import type { Output } from '../../outgoing/output.ts'
import type { ConsumerRecord } from '../../incoming/consumer-record.ts'
import { HandlerError, PostponedError, UnknownEventTypeError } from '../errors.ts'
import type { OffsetPlace } from '../../record/places.ts'
import type { ConsumerSettings } from '../options.ts'
import type { AssignedPartition } from '../partition.ts'

/** An attempt that failed. */
export interface Failure {
  readonly partition: AssignedPartition
  /** One, or the list that a handler of batches was given. */
  readonly records: readonly ConsumerRecord[]
  /** Of the attempt that failed, from 1. */
  readonly attempt: number
  /** How often the attempt was put off before. */
  readonly postponed: number
  /** What the handler threw, HandlerTimeoutError, or DecodeError: then no handler was called. */
  readonly error: unknown
  /** Of the batch of its records, where they were read again and do not know it. */
  readonly compression?: Compression | undefined
}

const MIN_POSTPONEMENT_MS = 100

/** In place of an error: it did not fail, a record of its key is in the retry topic, and it goes behind that one. */
export const behindRetry: unique symbol = Symbol('behind a record in the retry topic')

/** Again in its lane, whose later records wait meanwhile and whose slot is free; or never again in here. */
export type Next =
  | { readonly again: true; readonly delayMs: number; readonly isPostponed?: boolean }
  | { readonly again: false }

/** Decides what becomes of records whose handling failed, and takes those elsewhere that are not tried again here. */
export interface FailureRoute {
  next(failure: Failure): Next
  /**
   * Resolves when what failed is safe elsewhere (a retry topic, a dead letter): it is finished then, and its offset may
   * be committed. A rejection stops the consumer with that error; the offset stays uncommitted. `signal` is aborted when
   * the partition is taken away and waits no longer. What it resolves with, if anything, is committed together with the
   * offset.
   */
  divert(failure: Failure, signal: AbortSignal): Promise<readonly Output[] | void>
}

/** Tries again in the lane, with pauses that double; after the last attempt the consumer stops. */
export class LaneRetries implements FailureRoute {
  readonly #settings: ConsumerSettings

  constructor(settings: ConsumerSettings) {
    this.#settings = settings
  }

  next({ attempt, postponed, error }: Failure): Next {
    const { attempts, retryInitialMs, retryMaxMs, isRetryable } = this.#settings
    if (isInstance(error, PostponedError)) {
      // Without end, and so never without a pause.
      const delayMs = Math.max(MIN_POSTPONEMENT_MS, retryInitialMs) * 2 ** Math.min(postponed, 20)
      return { again: true, isPostponed: true, delayMs: Math.min(Math.max(MIN_POSTPONEMENT_MS, retryMaxMs), delayMs) }
    }
    if (isHopeless(error) || attempt >= attempts || !mayRetry(isRetryable, error)) return { again: false }
    return { again: true, delayMs: Math.min(retryMaxMs, retryInitialMs * 2 ** (attempt - 1)) }
  }

  divert(failure: Failure): Promise<void> {
    const { error, attempt } = failure
    return Promise.reject(
      isInstance(error, DecodeError) ? error : new HandlerError(placeOfFailure(failure), attempt, error),
    )
  }
}

/** Of an error that comes of the record alone: another attempt would bring it again. */
function isHopeless(error: unknown): boolean {
  const isOfRecord = isInstance(error, DecodeError) || isInstance(error, UnknownEventTypeError)
  return isOfRecord || isInstance(error, OutputRefusedError)
}

/** The caller's own judgement must not stop the consumer: what it throws is a warning, and the record is tried again. */
function mayRetry(isRetryable: ConsumerSettings['isRetryable'], error: unknown): boolean {
  try {
    return isRetryable(error)
  } catch (cause) {
    const text = `The callback "retry.isRetryable" failed: ${stackOf(cause)}`
    process.emitWarning(text, { code: 'SLUICE_LISTENER' })
    return true
  }
}

/** Where it is, by its first record. */
function placeOfFailure({ records }: Failure): OffsetPlace {
  const { topic, partition, offset } = records[0]!
  return { topic, partition, offset }
}
