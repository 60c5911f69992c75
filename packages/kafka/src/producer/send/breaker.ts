import { Breaker } from '@sluice/flow'
import type { BreakerTransition } from '@sluice/flow'
import { ConsecutiveBreaker } from 'cockatiel'
import type { ProducerConfig } from '../options.ts'

/** The breaker of a producer: it opens after `failures` failed requests in a row, of all brokers together. */
export function newBreaker(
  { breaker, clock }: ProducerConfig,
  onTransition: (transition: BreakerTransition) => void,
): Breaker {
  const { failures, openMs, trialRequests } = breaker
  const opened = new Breaker({ strategy: new ConsecutiveBreaker(failures), openMs, trialCalls: trialRequests, clock })
  opened.on('transition', onTransition)
  return opened
}
