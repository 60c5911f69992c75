import type { Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import { Backoff } from '../../async/backoff.ts'
import { ByPlace } from '../../record/by-place.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { brokerError, classify } from '../../driver/classify.ts'
import { groupBy } from '../../driver/group-by.ts'
import { turnBetween } from '../../driver/time-slices.ts'
import type { BrokerNode, ListedOffset } from '../../driver/driver.ts'
import { NoPositionError, OffsetOutsideLogError } from '../errors.ts'
import type { ConsumerEvents, ResetReason } from '../events.ts'
import type { FirstSight } from './first-sight.ts'
import type { ConsumerSettings, ResetPolicy } from '../options.ts'
import type { AssignedPartition } from '../partition.ts'
import type { FoundPosition } from './found-position.ts'

export interface ResetsOptions {
  readonly cluster: Cluster
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  readonly firstSight: FirstSight
  readonly onFound: (found: readonly FoundPosition[]) => void
  readonly onFatal: (error: Error) => void
  /** False: it cannot be mended. */
  readonly onFailed: (error: Error) => Promise<boolean>
}

const LATEST = -1
const EARLIEST = -2
/** The answer where no record is of the time asked for, or later. */
const NONE = -1

/** Finds positions for partitions that have none, or none in the log any more, by the reset policy. */
export class Resets {
  readonly #options: ResetsOptions

  constructor(options: ResetsOptions) {
    this.#options = options
  }

  /** Each leader is asked on its own. */
  begin(partitions: readonly AssignedPartition[], reason: ResetReason): void {
    const { cluster, settings, onFatal } = this.#options
    const byLeader = new Map<number, AssignedPartition[]>()
    const refused: AssignedPartition[] = []
    for (const partition of partitions) {
      if (this.#policy(partition, reason) === 'none') {
        refused.push(partition)
        continue
      }
      const leader = cluster.leader(partition.topicName, partition.partition)?.id ?? -1
      const led = byLeader.get(leader)
      if (led === undefined) byLeader.set(leader, [partition])
      else led.push(partition)
    }
    if (refused.length > 0) onFatal(new NoPositionError(settings.group, refused.map(placeOf), reason))
    for (const led of byLeader.values()) void this.#resetAll(led, reason)
  }

  /** Of a partition whose position is kept elsewhere: goes on where the log has it after all, else it is an error. */
  async refuse(partition: AssignedPartition, offset: number): Promise<void> {
    const { cluster, clock, onFailed, onFound, onFatal } = this.#options
    const backoff = new Backoff(50, 2_000)
    while (partition.isLive) {
      const leader = cluster.leader(partition.topicName, partition.partition)
      try {
        const start = leader && offsetOf(new ByPlace(await this.#ask(leader, [partition], () => EARLIEST)), partition)
        const end = leader && offsetOf(new ByPlace(await this.#ask(leader, [partition], () => LATEST)), partition)
        if (start !== undefined && end !== undefined) {
          if (offset >= start && offset <= end) {
            return onFound([{ partition, offset, leaderEpoch: -1, reset: undefined, isStored: true }])
          }
          return onFatal(new OffsetOutsideLogError({ ...placeOf(partition), offset }, start, end))
        }
        await cluster.refresh([partition.topicName])
      } catch (error) {
        if (!(await onFailed(error as Error))) return
      }
      await clock.sleep(backoff.nextMs())
    }
  }

  async #resetAll(partitions: readonly AssignedPartition[], reason: ResetReason): Promise<void> {
    const { cluster, clock, onFailed } = this.#options
    const backoff = new Backoff(50, 2_000)
    let left = partitions
    for (;;) {
      await turnBetween(left.length)
      left = left.filter(({ isLive }) => isLive)
      const [first] = left
      if (first === undefined) return
      const leader = cluster.leader(first.topicName, first.partition)
      try {
        if (leader !== undefined) left = await this.#resetAt(leader, left, reason)
        if (left.length > 0) await cluster.refresh([...new Set(left.map(({ topicName }) => topicName))])
      } catch (error) {
        if (!(await onFailed(error as Error))) return
      }
      if (left.length > 0) await clock.sleep(backoff.nextMs())
    }
  }

  /** Asks one leader; returns those that have to be asked for again. */
  async #resetAt(
    leader: BrokerNode,
    partitions: readonly AssignedPartition[],
    reason: ResetReason,
  ): Promise<AssignedPartition[]> {
    const { cluster } = this.#options
    const led = partitions.filter((one) => cluster.leader(one.topicName, one.partition)?.id === leader.id)
    const policies = new Map(led.map((partition) => [partition, this.#policy(partition, reason)]))
    // Before the others: a record that comes in between must not be passed over for want of an earlier one.
    const byTime = led.filter((partition) => typeof policies.get(partition) === 'object')
    const ends = new ByPlace(await this.#ask(leader, byTime, () => LATEST))
    const asked = await this.#ask(leader, led, (partition) => this.#timestampOf(policies.get(partition)!))
    const answer = new ByPlace(asked)
    const found: FoundPosition[] = []
    await turnBetween(led.length)
    for (const partition of led) {
      const offset = offsetOf(answer, partition)
      const end = policies.get(partition) === 'earliest' ? undefined : offsetOf(ends, partition)
      const at = offset === NONE ? end : offset
      if (at !== undefined) found.push({ partition, offset: at, leaderEpoch: -1, reset: reason })
    }
    await turnBetween(found.length)
    if (reason === 'no_committed_offset' && this.#options.settings.isResetImplied)
      void this.#tellPassedOver(leader, found)
    if (found.length > 0) this.#options.onFound(found.filter(({ partition }) => partition.isLive))
    const done = new Set(found.map(({ partition }) => partition))
    return partitions.filter((partition) => !done.has(partition))
  }

  /** Records that a new group passes over, though nobody has chosen that. */
  async #tellPassedOver(leader: BrokerNode, found: readonly FoundPosition[]): Promise<void> {
    const atEnd = found.filter(({ partition, offset }) => offset > 0 && partition.isLive && this.#isLatest(partition))
    const partitions = atEnd.map(({ partition }) => partition)
    try {
      const starts = new ByPlace(await this.#ask(leader, partitions, () => EARLIEST))
      const passed = atEnd.flatMap(({ partition, offset }) => {
        const own = starts.get(partition.topicName, partition.partition)
        return own?.errorCode === 0 && own.offset < offset ? [{ partition, records: offset - own.offset }] : []
      })
      for (const [topic, own] of groupBy(passed, ({ partition }) => partition.topicName)) {
        const records = own.reduce((sum, one) => sum + one.records, 0)
        this.#options.events.emit('startedAtEnd', {
          topic,
          partitions: own.map((one) => placeOf(one.partition)),
          records,
        })
      }
    } catch {
      // It is only a hint: whoever reads on meets the same failure, and tells of it.
    }
  }

  async #ask(
    leader: BrokerNode,
    partitions: readonly AssignedPartition[],
    timestampOf: (partition: AssignedPartition) => number,
  ): Promise<readonly ListedOffset[]> {
    if (partitions.length === 0) return []
    const { cluster, settings } = this.#options
    const queries = partitions.map((one) => ({
      ...placeOf(one),
      currentLeaderEpoch: cluster.leaderEpoch(one.topicName, one.partition),
      timestampMs: timestampOf(one),
    }))
    return await cluster.driver.listOffsets(leader, settings.isolation, queries)
  }

  #timestampOf(policy: ResetPolicy): number {
    if (typeof policy === 'string') return policy === 'earliest' ? EARLIEST : LATEST
    return 'timeMs' in policy ? policy.timeMs : Math.max(0, Math.floor(this.#options.clock.now() - policy.agoMs))
  }

  #isLatest(partition: AssignedPartition): boolean {
    return this.#policy(partition, 'no_committed_offset') === 'latest'
  }

  #policy(partition: AssignedPartition, reason: ResetReason): ResetPolicy {
    // What waits there is never to be passed over.
    if (partition.retryOf !== undefined) return 'earliest'
    const isNew = reason === 'no_committed_offset' && this.#options.firstSight.isNew(partition)
    return isNew ? 'earliest' : this.#options.settings.reset
  }
}

/** Undefined: to be asked for again. @throws BrokerError where that would not help. */
function offsetOf(answer: ByPlace<ListedOffset>, partition: AssignedPartition): number | undefined {
  const place = placeOf(partition)
  const own = answer.get(place.topic, place.partition)
  if (own !== undefined && own.errorCode !== 0 && !classify(own.errorCode).retriable) {
    throw brokerError(own.errorCode, null, place)
  }
  return own?.errorCode === 0 ? own.offset : undefined
}

const placeOf = ({ topicName, partition }: AssignedPartition) => ({ topic: topicName, partition })
