import { channel } from 'node:diagnostics_channel'

/**
 * Where a transaction stands: `begin`, nothing was sent; `outputs`, all its records are acknowledged; `offsets`, so are
 * its offsets; `end_sent`, its end is on its way and not answered; `committed`.
 */
export type TransactionStep = 'begin' | 'outputs' | 'offsets' | 'end_sent' | 'committed'

/** What is published for each step, in the turn in which it is reached. */
export interface TransactionStepMessage {
  /** The id that the transaction runs under. */
  readonly transactionalId: string
  /** The step that was taken. */
  readonly step: TransactionStep
}

/** For traces, and for proofs that stop a process at a point of their choice. */
const steps = channel('sluice:transaction')

export function reached(transactionalId: string, step: TransactionStep): void {
  if (steps.hasSubscribers) steps.publish({ transactionalId, step } satisfies TransactionStepMessage)
}
