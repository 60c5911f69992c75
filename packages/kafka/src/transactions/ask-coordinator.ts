import type { Clock } from '@sluice/flow'
import type { Backoff } from '../async/backoff.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { classify } from '../driver/classify.ts'
import type { BrokerNode, CoordinatorKind } from '../driver/driver.ts'
import { BrokerError } from '../errors.ts'

/** The epoch that a member of a KIP-848 group bears is not the group's any more, or not yet. */
const staleEpochs = new Set(['ILLEGAL_GENERATION', 'STALE_MEMBER_EPOCH'])

export interface Question<Answer> {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly kind: CoordinatorKind
  readonly key: string
  readonly backoff: Backoff
  readonly signal: AbortSignal
  /** What fails from then on is not tried again. */
  readonly isLate: () => boolean
  readonly request: (coordinator: BrokerNode) => Promise<Answer>
  readonly onFailure?: (error: unknown) => void
}

/**
 * Asks a coordinator until it answers for good.
 * @throws what no further attempt can mend; the last failure; the signal's reason
 */
export async function askCoordinator<Answer>(question: Question<Answer>): Promise<Answer> {
  const { cluster, clock, kind, key, backoff, signal, isLate, request, onFailure } = question
  for (;;) {
    try {
      return await request(await cluster.coordinator(kind, key, signal))
    } catch (error) {
      onFailure?.(error)
      if (!isTransient(error) || isLate()) throw error
      if (isMoved(error)) cluster.forgetCoordinator(kind, key)
    }
    await clock.sleep(backoff.nextMs(), signal)
  }
}

/** Whether the same request can succeed later. A stale member epoch is mended by a heartbeat, not by time. */
export function isTransient(error: unknown): boolean {
  if (error instanceof BrokerError) return !isStaleEpoch(error) && classify(error.apiCode).retriable
  return (error as { retriable?: boolean }).retriable === true
}

export function isStaleEpoch(error: unknown): boolean {
  return error instanceof BrokerError && staleEpochs.has(error.apiError)
}

/** Whether the coordinator has to be looked for again. */
function isMoved(error: unknown): boolean {
  return !(error instanceof BrokerError) || classify(error.apiCode).refreshCoordinator
}
