import type { Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import type { Cluster } from '../../cluster/cluster.ts'
import { brokerError, classify, errorCode } from '../../driver/classify.ts'
import type { CommittedOffset } from '../../driver/driver.ts'
import { groupBy } from '../../driver/group-by.ts'
import { turnBetween } from '../../driver/time-slices.ts'
import { BrokerError, ClusterTimeoutError } from '../../errors.ts'
import { Backoff } from '../../async/backoff.ts'
import { ByPlace } from '../../record/by-place.ts'
import { byTopic, fetchCommitted, FOUND_AT_ONCE } from './committed-offsets.ts'
import type { ConsumerEvents, ResetReason } from '../events.ts'
import { FirstSight } from './first-sight.ts'
import type { Membership } from '../group/membership.ts'
import type { ConsumerSettings } from '../options.ts'
import { decodeOffsetMap, type OffsetMap } from '../commit/offset-map.ts'
import { withoutOrigin } from './origin.ts'
import type { AssignedPartition } from '../partition.ts'
import type { StoredPositions } from './stored-positions.ts'
import { Resets } from './resets.ts'
import type { Subscription } from '../group/subscription.ts'
import type { FoundPosition } from './found-position.ts'

export interface PositionsOptions {
  readonly cluster: Cluster
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  readonly membership: Membership
  readonly subscription: Subscription
  /** Where positions are kept that are not the group's commits. */
  readonly stored: StoredPositions | undefined
  /** The position of these partitions is known now. */
  readonly onFound: (found: readonly FoundPosition[]) => void
  readonly onFatal: (error: Error) => void
}

/** Offsets that a transaction holds for so long are told, each time again. */
const UNSTABLE_MS = 10_000
const UNKNOWN_TOPIC = errorCode('UNKNOWN_TOPIC_OR_PARTITION')

/**
 * Where a partition begins: where the group has committed, else by the reset policy. Partitions that were added to a
 * topic after the group had begun to read it start at their earliest record whatever the policy, or what was written
 * before they were noticed would be skipped; so do those of a topic that was created again.
 */
export class Positions {
  readonly #options: PositionsOptions
  readonly #firstSight = new FirstSight()
  readonly #resets: Resets

  constructor(options: PositionsOptions) {
    this.#options = options
    const onFailed = (error: Error): Promise<boolean> => this.#failed(error)
    this.#resets = new Resets({ ...options, firstSight: this.#firstSight, onFailed })
  }

  /**
   * Before joining: what partitions and commits there are. Tries until it knows, since a broker can be named as
   * the coordinator before it is (the rule for the first group of a new cluster); ends early when it is stopped.
   */
  async look(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(50, 2_000)
    while (!signal.aborted) {
      try {
        return await this.#look()
      } catch (error) {
        if (!(await this.#failed(error as Error))) return
      }
      // Rejects when it is stopped, which the condition sees.
      await this.#options.clock.sleep(backoff.nextMs(), signal).catch(() => {})
    }
  }

  /** Topics came into being: all they hold is new to the group. */
  noteNew(topics: readonly string[]): void {
    for (const name of topics) this.#firstSight.noteMissing(name)
  }

  /** Finds the positions of newly assigned partitions, each told as soon as it is known. */
  async find(partitions: readonly AssignedPartition[]): Promise<void> {
    const { stored } = this.#options
    const kept = stored === undefined ? [] : partitions.filter(({ retryOf }) => retryOf === undefined)
    const unknown = new Set(await this.#findStored(kept))
    const known = new Set(kept.filter((partition) => !unknown.has(partition)))
    await this.#findCommitted(partitions.filter((partition) => !known.has(partition)))
  }

  /** Tells those that the store knows, returns the others. */
  async #findStored(partitions: readonly AssignedPartition[]): Promise<AssignedPartition[]> {
    const { stored, clock, onFound } = this.#options
    const backoff = new Backoff(50, 2_000)
    for (;;) {
      const live = partitions.filter(({ isLive }) => isLive)
      if (stored === undefined || live.length === 0) return []
      try {
        const offsets = await stored.positions(live)
        const found = live.flatMap((partition, index): FoundPosition[] => {
          const offset = offsets[index] ?? null
          partition.origin = this.#firstSight.originFor(partition)
          return offset === null ? [] : [{ partition, offset, leaderEpoch: -1, reset: undefined, isStored: true }]
        })
        if (found.length > 0) onFound(found)
        return live.filter((_, index) => (offsets[index] ?? null) === null)
      } catch (error) {
        if (!(await this.#failed(error as Error))) return []
      }
      await clock.sleep(backoff.nextMs())
    }
  }

  /**
   * Thousands of partitions are looked up some at a time: what is done with one long answer would hold up all else,
   * heartbeats too.
   */
  async #findCommitted(partitions: readonly AssignedPartition[]): Promise<void> {
    const searches: Promise<void>[] = []
    for (let from = 0; from < partitions.length; from += FOUND_AT_ONCE) {
      await turnBetween(partitions.length)
      searches.push(this.#findSome(partitions.slice(from, from + FOUND_AT_ONCE)))
    }
    await Promise.all(searches)
  }

  async #findSome(partitions: readonly AssignedPartition[]): Promise<void> {
    const { clock } = this.#options
    const backoff = new Backoff(50, 2_000)
    let toldAtMs = clock.monotonicMs()
    let left = partitions.filter(({ isLive }) => isLive)
    while (left.length > 0) {
      try {
        const memberEpoch = this.#options.membership.epoch
        const committed = await fetchCommitted(this.#options, byTopic(left), memberEpoch)
        await turnBetween(left.length)
        left = this.#sort(left, committed)
      } catch (error) {
        if (!(await this.#failed(error as Error))) return
      }
      if (left.length > 0) await clock.sleep(backoff.nextMs())
      if (left.length > 0 && clock.monotonicMs() - toldAtMs >= UNSTABLE_MS) {
        toldAtMs = clock.monotonicMs()
        this.#tellUnstable(left)
      }
      left = left.filter(({ isLive }) => isLive)
    }
  }

  /** They are waited for, for as long as it takes: the next owner must not read past what is not decided. */
  #tellUnstable(partitions: readonly AssignedPartition[]): void {
    const names = partitions.map(({ topicName, partition }) => `${topicName}/${partition}`).join(', ')
    const what = `a transaction that is still open holds the group's offsets of ${names}: it did not end`
    this.#options.events.emit('error', { during: 'positions', error: new ClusterTimeoutError(what, UNSTABLE_MS) })
  }

  /** Finds new positions for partitions by the reset policy. */
  reset(partitions: readonly AssignedPartition[], reason: ResetReason): void {
    this.#resets.begin(partitions, reason)
  }

  /** The log does not have the position: a reset, or an error where it is kept elsewhere. */
  outOfRange(partition: AssignedPartition, offset: number): void {
    if (this.#options.stored === undefined || partition.retryOf !== undefined) {
      this.reset([partition], 'offset_out_of_range')
    } else void this.#resets.refuse(partition, offset)
  }

  async #look(): Promise<void> {
    const { cluster, subscription } = this.#options
    await subscription.look()
    const topics = subscription.names.flatMap((name) => {
      const known = cluster.topic(name)
      return known?.errorCode === 0 ? known : []
    })
    const committed = await fetchCommitted(
      this.#options,
      topics.map(({ name, partitions }) => ({ topic: name, partitions: partitions.map(({ partition }) => partition) })),
      null,
    )
    for (const name of subscription.names) {
      if (cluster.topic(name)?.errorCode === UNKNOWN_TOPIC) this.#firstSight.noteMissing(name)
    }
    const byName = groupBy(committed, ({ topic }) => topic)
    for (const topic of topics) this.#firstSight.note(topic, byName.get(topic.name) ?? [])
  }

  /** Tells those that are committed, resets those that are not, returns those to ask for again. */
  #sort(left: readonly AssignedPartition[], answer: readonly CommittedOffset[]): AssignedPartition[] {
    const found: FoundPosition[] = []
    const uncommitted: AssignedPartition[] = []
    const mapped: MappedPosition[] = []
    const again: AssignedPartition[] = []
    const byPlace = new ByPlace(answer)
    for (const partition of left) {
      partition.origin = this.#firstSight.originFor(partition)
      const own = byPlace.get(partition.topicName, partition.partition)
      if (own === undefined || own.errorCode !== 0) {
        if (own !== undefined && !classify(own.errorCode).retriable) throw refused(own)
        again.push(partition)
      } else if (own.offset < 0) uncommitted.push(partition)
      else {
        const position = { partition, offset: own.offset, leaderEpoch: own.leaderEpoch, reset: undefined }
        const map = mapOf(partition, own)
        if (map === undefined) found.push(position)
        else mapped.push({ ...position, map })
      }
    }
    if (found.length > 0) this.#options.onFound(found)
    this.reset(uncommitted, 'no_committed_offset')
    for (const position of mapped) void this.#confirm(position)
    return again
  }

  /**
   * Uses the offset map of a commit only where the log still has what it was made of: a log that was cut meanwhile holds
   * other records at the same offsets.
   */
  async #confirm({ map, ...position }: MappedPosition): Promise<void> {
    const { clock, onFound } = this.#options
    const backoff = new Backoff(50, 2_000)
    while (position.partition.isLive) {
      try {
        const isTrue = await this.#isInLog(position.partition, map)
        if (isTrue !== undefined) return onFound([isTrue ? { ...position, finished: map.ranges } : position])
      } catch (error) {
        if (!(await this.#failed(error as Error))) return
      }
      await clock.sleep(backoff.nextMs())
    }
  }

  /** Undefined: to be asked again. */
  async #isInLog({ topicName, partition }: AssignedPartition, map: OffsetMap): Promise<boolean | undefined> {
    const { cluster } = this.#options
    const leader = cluster.leader(topicName, partition)
    const query = { topic: topicName, partition, leaderEpoch: map.leaderEpoch }
    const currentLeaderEpoch = cluster.leaderEpoch(topicName, partition)
    if (leader !== undefined) {
      const [answer] = await cluster.driver.offsetsForLeaderEpoch(leader, [{ ...query, currentLeaderEpoch }])
      if (answer?.errorCode === 0) {
        return answer.leaderEpoch === map.leaderEpoch && answer.endOffset >= map.ranges.at(-1)!.end
      }
      if (answer !== undefined && !classify(answer.errorCode).retriable) throw refused(answer)
    }
    await cluster.refresh([topicName])
    return undefined
  }

  /** False: it cannot be mended, and the consumer was told. */
  async #failed(error: Error): Promise<boolean> {
    const { cluster, settings, membership, events, onFatal } = this.#options
    events.emit('error', { during: 'positions', error })
    if (error instanceof BrokerError) {
      const { retriable, rejoin, refreshCoordinator } = classify(error.apiCode)
      if (refreshCoordinator) cluster.forgetCoordinator('group', settings.group)
      else if (error.apiError === 'STALE_MEMBER_EPOCH' || rejoin) await membership.refreshed(1_000)
      else if (!retriable) {
        onFatal(error)
        return false
      }
      return true
    }
    if ((error as { retriable?: boolean }).retriable === true) {
      cluster.forgetCoordinator('group', settings.group)
      return true
    }
    onFatal(error)
    return false
  }
}

interface MappedPosition extends FoundPosition {
  readonly map: OffsetMap
}

/** The map of a commit, if it is of ours and of this very log. */
function mapOf({ topicId }: AssignedPartition, { offset, metadata }: CommittedOffset): OffsetMap | undefined {
  const map = metadata === '' ? undefined : decodeOffsetMap(withoutOrigin(metadata))
  return map?.base === offset && map.topicId === topicId && map.leaderEpoch >= 0 ? map : undefined
}

function refused({
  errorCode,
  topic,
  partition,
}: {
  errorCode: number
  topic: string
  partition: number
}): BrokerError {
  return brokerError(errorCode, null, { topic, partition })
}
