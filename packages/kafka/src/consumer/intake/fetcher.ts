import type { Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import type { Cluster } from '../../cluster/cluster.ts'
import type { FetchedPartition } from '../../driver/driver.ts'
import type { ConsumerEvents } from '../events.ts'
import { FetchLoops } from '../../fetch/fetch-loops.ts'
import { takeIn } from './fetched.ts'
import type { Ask, Intake } from './intake.ts'
import type { ConsumerSettings } from '../options.ts'
import type { AssignedPartition } from '../partition.ts'
import { Reachability } from './reachability.ts'
import { StableOffsets } from './stable-offsets.ts'

export interface FetcherOptions {
  readonly cluster: Cluster
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  readonly intake: Intake
  /** The partition has something to handle. */
  readonly onRecords: (partition: AssignedPartition) => void
  /** Its position is not (any longer) in the log. */
  readonly onOutOfRange: (partition: AssignedPartition) => void
  /** The log that was read so far is not the leader's, which parts from it at `endOffset`. */
  readonly onDiverged: (partition: AssignedPartition, endOffset: number, leaderEpoch: number) => void
  readonly onFatal: (error: Error) => void
}

/** The fetch loops of a consumer: what they bring goes into the lanes. */
export class Fetcher extends FetchLoops<AssignedPartition, Ask> {
  constructor({ events, onRecords, ...options }: FetcherOptions) {
    const { intake, settings, clock } = options
    const reachability = new Reachability(clock, events)
    const stableOffsets = settings.isolation === 'read_committed' ? new StableOffsets(clock, events) : undefined
    super({
      ...options,
      takeIn: (ask: Ask, fetched: FetchedPartition) => {
        reachability.reached()
        stableOffsets?.note(ask.partition, fetched)
        takeIn(ask, fetched, intake, settings.isolation)
      },
      onTaken: (partition) => {
        if (partition.log!.hasMore) onRecords(partition)
      },
      onError: (during, error) => {
        events.emit('error', { during, error })
        if (during === 'metadata') reachability.failed(error)
      },
    })
  }
}
