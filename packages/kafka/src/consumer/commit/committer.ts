import type { Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import type { Cluster } from '../../cluster/cluster.ts'
import { brokerError, classify, errorCode } from '../../driver/classify.ts'
import type { PartitionResult } from '../../driver/driver.ts'
import { turnBetween } from '../../driver/time-slices.ts'
import { BrokerError } from '../../errors.ts'
import { Backoff } from '../../async/backoff.ts'
import type { CommitEntry, CommitRoute } from './commit-route.ts'
import type { ConsumerEvents } from '../events.ts'
import type { OffsetPlace } from '../../record/places.ts'
import type { Membership } from '../group/membership.ts'
import type { ConsumerSettings } from '../options.ts'
import type { AssignedPartition } from '../partition.ts'
import { encodeOffsetMap } from './offset-map.ts'
import { withOrigin } from '../assignment/origin.ts'
import { Signal } from '../../async/wakeup.ts'
import { closeGraceMs, type TimeLimit } from '../../time-limit.ts'
import type { ConsumerCommitterState } from '../consumer-state.ts'

export interface CommitterOptions {
  readonly cluster: Cluster
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  readonly membership: Membership
  readonly route: CommitRoute
  readonly onFatal: (error: Error) => void
}

/** How long a commit waits for the heartbeat that tells the new member epoch. */
const EPOCH_WAIT_MS = 1_000
const RENEW_MS = 86_400_000
/** How long a topic may be unknown to the brokers, and still be there. */
const UNKNOWN_TOPIC_MS = 1_000
const METADATA_TOO_LARGE = errorCode('OFFSET_METADATA_TOO_LARGE')
/** A broker that allows less than this allows no map at all. */
const MIN_MAP_LENGTH = 64

/**
 * Commits what is finished without a hole, every `commitIntervalMs`, with one commit in flight. An answer counts only
 * for the incarnation of the partition that asked; one that comes later is discarded.
 */
export class Committer {
  readonly #options: CommitterOptions
  readonly #partitions = new Set<AssignedPartition>()
  readonly #signal: Signal
  readonly #backoff = new Backoff(50, 1_000)
  #inFlight: Promise<unknown> = Promise.resolve()
  #stopped = false
  /** Kafka has refused a commit for good: to ask again would change nothing. */
  #isRefused = false
  #loop: Promise<void> | undefined
  #commits = 0
  #failures = 0
  #discarded = 0

  constructor(options: CommitterOptions) {
    this.#options = options
    this.#signal = new Signal(options.clock)
  }

  add(partition: AssignedPartition): void {
    this.#partitions.add(partition)
  }

  remove(partition: AssignedPartition): void {
    this.#partitions.delete(partition)
    this.#options.route.outputs?.released(partition)
  }

  start(): void {
    this.#loop = this.#run()
  }

  /** Commits soon, without waiting for the interval. */
  soon(): void {
    this.#signal.notify()
  }

  /**
   * Commits what these partitions have finished, trying until it is done, refused for good, or `timeoutMs` have passed.
   * Afterwards no commit of them is in flight.
   */
  async flush(partitions: readonly AssignedPartition[], timeoutMs: number): Promise<void> {
    const { clock } = this.#options
    const startedAtMs = clock.monotonicMs()
    for (;;) {
      await this.#commit(partitions)
      const left = this.uncommitted(partitions)
      if (this.#isRefused || left.length === 0) return
      // Those of a topic that stays unknown are not waited for: it was deleted.
      const limitMs = left.every((one) => this.#isUnknown(one)) ? Math.min(timeoutMs, UNKNOWN_TOPIC_MS) : timeoutMs
      const waitMs = this.#backoff.nextMs()
      if (clock.monotonicMs() + waitMs >= startedAtMs + limitMs) return
      await clock.sleep(waitMs)
      await this.#lookForUnknown(left)
    }
  }

  /** Resolves when no transaction is under way: what it commits may still be of an earlier assignment. */
  async settled(): Promise<void> {
    if (this.#options.route.outputs !== undefined) await this.#inFlight
  }

  /** Those whose last position may not have been committed. */
  uncommitted(partitions: readonly AssignedPartition[]): readonly AssignedPartition[] {
    return partitions.filter((partition) => this.#isDirty(partition))
  }

  /** Ends the loop, and waits for a commit in flight while there is time. */
  async stop(limit: TimeLimit): Promise<void> {
    this.#stopped = true
    this.#signal.notify()
    await limit.allows(Promise.all([this.#loop, this.#inFlight]), closeGraceMs.commit)
  }

  inspect(): ConsumerCommitterState {
    const { commitIntervalMs } = this.#options.settings
    return { commitIntervalMs, commits: this.#commits, failures: this.#failures, discardedResults: this.#discarded }
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await this.#signal.wait(this.#options.settings.commitIntervalMs)
      await turnBetween(this.#partitions.size)
      if (!this.#stopped) await this.#commit(this.#partitions)
    }
  }

  #isDirty(partition: AssignedPartition): boolean {
    if (partition.phase === 'released' || partition.phase === 'starting') return false
    const { finishedTo, committed, committedRevision, log } = partition
    const isNews = finishedTo !== committed || log?.tracker.revision !== committedRevision || this.#isStale(partition)
    return finishedTo >= 0 && isNews && !this.#isReplaced(partition)
  }

  /** Offsets of topics that nobody subscribes to are forgotten by the broker after a while. */
  #isStale({ retryOf, committedAtMs }: AssignedPartition): boolean {
    return retryOf !== undefined && this.#options.clock.monotonicMs() - committedAtMs > RENEW_MS
  }

  /** Commits go by name: what belongs to a deleted topic must not become the position of its successor. */
  #isReplaced({ topicName, topicId }: AssignedPartition): boolean {
    const known = this.#options.cluster.topic(topicName)
    return known !== undefined && known.errorCode === 0 && known.id !== topicId
  }

  /** The broker that was asked last does not know its topic: it was deleted, or the broker has not caught up yet. */
  #isUnknown({ topicName }: AssignedPartition): boolean {
    return (this.#options.cluster.topic(topicName)?.errorCode ?? 0) !== 0
  }

  async #lookForUnknown(partitions: readonly AssignedPartition[]): Promise<void> {
    const names = new Set(partitions.filter((one) => this.#isUnknown(one)).map(({ topicName }) => topicName))
    if (names.size === 0) return
    await this.#options.cluster
      .refresh([...names])
      .catch((error: unknown) => this.#options.events.emit('error', { during: 'metadata', error }))
  }

  /** One commit, after the one in flight. */
  #commit(partitions: Iterable<AssignedPartition>): Promise<void> {
    const next = this.#inFlight.then(async () => {
      const entries: CommitEntry[] = []
      for (const partition of partitions) {
        // While its topic is unknown nobody can say whether the name still means the same one.
        if (this.#isDirty(partition) && !this.#isUnknown(partition)) entries.push(entryOf(partition))
      }
      // At once: a route that commits outputs takes those of exactly these offsets.
      if (entries.length > 0 && this.#options.membership.epoch > 0) await this.#send(entries)
    })
    this.#inFlight = next
    return next
  }

  async #send(entries: readonly CommitEntry[]): Promise<void> {
    try {
      const results = await this.#options.route.commit(entries)
      this.#commits++
      await turnBetween(entries.length)
      await this.#accept(entries, results)
    } catch (error) {
      await this.#failed(error as Error)
    }
  }

  async #accept(entries: readonly CommitEntry[], results: readonly PartitionResult[]): Promise<void> {
    const codes = new Map(results.map(({ topic, partition, errorCode }) => [`${topic}/${partition}`, errorCode]))
    const committed: OffsetPlace[] = []
    let failure: Error | undefined
    for (const { owner, topic, partition, offset, revision, metadata } of entries) {
      const errorCode = codes.get(`${topic}/${partition}`)
      if (owner.phase === 'released') {
        this.#discarded++
      } else if (errorCode === 0) {
        owner.committed = offset
        owner.committedRevision = revision
        owner.committedAtMs = this.#options.clock.monotonicMs()
        committed.push({ topic, partition, offset })
      } else if (errorCode === METADATA_TOO_LARGE && metadata.length > MIN_MAP_LENGTH) {
        // Nothing more is taken until the map has become short enough.
        owner.mapBudget.refused(metadata.length)
        this.#options.events.emit('error', {
          during: 'commit',
          error: brokerError(errorCode, null, { topic, partition }),
        })
      } else if (errorCode !== undefined) {
        failure ??= brokerError(errorCode, null, { topic, partition })
      }
    }
    if (committed.length > 0) this.#options.events.emit('committed', { offsets: committed })
    if (failure === undefined) this.#backoff.reset()
    else await this.#failed(failure)
  }

  /** What cannot be mended by trying again stops the consumer; all else is tried again at the next turn. */
  async #failed(error: Error): Promise<void> {
    const { cluster, settings, membership, events } = this.#options
    this.#failures++
    if (isFinal(error)) return this.#refused(error)
    events.emit('error', { during: 'commit', error })
    if (!(error instanceof BrokerError)) return cluster.forgetCoordinator('group', settings.group)
    const { rejoin, refreshCoordinator } = classify(error.apiCode)
    if (refreshCoordinator) cluster.forgetCoordinator('group', settings.group)
    else if (error.apiError === 'STALE_MEMBER_EPOCH') {
      await membership.refreshed(EPOCH_WAIT_MS)
      this.soon()
    } else if (rejoin) membership.suspect()
  }

  #refused(error: Error): void {
    this.#isRefused = true
    this.#options.onFatal(error)
  }
}

/** Another commit would be refused alike. */
function isFinal(error: Error): boolean {
  if (!(error instanceof BrokerError)) return (error as { retriable?: boolean }).retriable !== true
  const { rejoin, retriable, refreshCoordinator } = classify(error.apiCode)
  return !rejoin && !retriable && !refreshCoordinator && error.apiError !== 'STALE_MEMBER_EPOCH'
}

function entryOf(owner: AssignedPartition): CommitEntry {
  const { finishedTo: offset, topicId, topicName: topic, partition } = owner
  const { tracker, epoch: leaderEpoch } = owner.log!
  const ranges = tracker.rangesAhead()
  const offsetMap = encodeOffsetMap({ base: offset, topicId, leaderEpoch, ranges })
  const metadata = withOrigin(offsetMap, owner.origin)
  return { owner, topic, partition, offset, leaderEpoch, metadata, revision: tracker.revision }
}
