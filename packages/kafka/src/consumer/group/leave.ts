import type { Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import { Backoff } from '../../async/backoff.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { classify } from '../../driver/classify.ts'
import { BrokerError } from '../../errors.ts'
import type { ConsumerEvents } from '../events.ts'
import type { ConsumerSettings } from '../options.ts'
import type { StateFile } from './state-file.ts'
import { closeGraceMs, type TimeLimit } from '../../time-limit.ts'

export interface FarewellOptions {
  readonly cluster: Cluster
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
}

/** Leaves for good, or (static) to come back. */
const LEAVE = -1
const LEAVE_STATIC = -2

/** Tells the group that a member is gone, so that nobody waits for its session to time out. */
export class Farewell {
  readonly #options: FarewellOptions

  constructor(options: FarewellOptions) {
    this.#options = options
  }

  /** A static member's partitions wait for the next one of its instance id. */
  get #leaveEpoch(): number {
    return this.#options.settings.instanceId === null ? LEAVE : LEAVE_STATIC
  }

  /**
   * Lets go of the member that this process, or the one before it, was: else its partitions wait for its session. Goes on
   * until the group could be told, or it is over.
   */
  async dismissFormer(
    stateFile: StateFile | undefined,
    memberId: string,
    { isOver, pause }: { readonly isOver: () => boolean; readonly pause: () => Promise<void> },
  ): Promise<void> {
    if (stateFile === undefined) return
    const former = await stateFile.begin(memberId)
    for (const one of former) {
      while (!isOver() && !(await this.#dismiss(one))) await pause()
    }
    if (former.length > 0 && !isOver()) await stateFile.dismissed()
  }

  /** For a member that an earlier process was. False: the group could not be told yet. */
  async #dismiss(memberId: string): Promise<boolean> {
    try {
      await this.#tell(memberId, this.#leaveEpoch)
      return true
    } catch (error) {
      // Whoever is not known needs no dismissal.
      if (error instanceof BrokerError && !classify(error.apiCode).retriable) return true
      this.#failed(error)
      return false
    }
  }

  /**
   * For this member: sends at least one request, and waits for its answer while there is time. Never throws. False: the
   * group could not be told in time, and waits for the session timeout.
   */
  async leave(memberId: string, limit: TimeLimit): Promise<boolean> {
    const backoff = new Backoff(100, 2_000)
    for (;;) {
      const telling = this.#tellLeaving(memberId)
      if (!(await limit.allows(telling, closeGraceMs.leave))) return false
      if (await telling) return true
      const waitMs = backoff.nextMs()
      if (waitMs >= limit.leftMs(closeGraceMs.leave)) return false
      await this.#options.clock.sleep(waitMs)
    }
  }

  /** Never rejects. False: it is to be tried again. */
  async #tellLeaving(memberId: string): Promise<boolean> {
    try {
      await this.#tell(memberId, this.#leaveEpoch)
      return true
    } catch (error) {
      if (error instanceof BrokerError && classify(error.apiCode).rejoin) return true
      this.#failed(error)
      return false
    }
  }

  #failed(error: unknown): void {
    const { cluster, settings, events } = this.#options
    cluster.forgetCoordinator('group', settings.group)
    events.emit('error', { during: 'leave', error })
  }

  async #tell(memberId: string, memberEpoch: number): Promise<void> {
    const { cluster, settings } = this.#options
    const { group, instanceId } = settings
    const coordinator = await cluster.coordinator('group', group)
    const nothingElse = { rackId: null, rebalanceTimeoutMs: -1, topics: null, assignor: null, owned: null }
    await cluster.driver.heartbeat(coordinator, { group, memberId, memberEpoch, instanceId, ...nothingElse })
  }
}
