import type { Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import type { Cluster } from '../../cluster/cluster.ts'
import { classify } from '../../driver/classify.ts'
import type { TopicMetadata, TopicPartitions } from '../../driver/driver.ts'
import { TimeSlices, turnBetween } from '../../driver/time-slices.ts'
import { BrokerError } from '../../errors.ts'
import type { DeadLetterWriter } from '../../dead-letters/dead-letter-writer.ts'
import { RetryBacklog } from '../failure/retry-backlog.ts'
import { isOwnTopic } from '../../failure/topic-names.ts'
import type { Committer } from '../commit/committer.ts'
import type { Dispatcher } from '../dispatch/dispatcher.ts'
import { RevokedError } from '../errors.ts'
import type { ConsumerEvents } from '../events.ts'
import type { OffsetPlace } from '../../record/places.ts'
import type { Fetcher } from '../intake/fetcher.ts'
import type { Intake } from '../intake/intake.ts'
import type { Membership } from '../group/membership.ts'
import type { ConsumerSettings } from '../options.ts'
import { AssignedPartition } from '../partition.ts'
import type { Positions } from './positions.ts'
import type { StoredPositions } from './stored-positions.ts'
import type { Subscription } from '../group/subscription.ts'
import { closeGraceMs, type TimeLimit } from '../../time-limit.ts'

export interface AssignmentOptions {
  readonly cluster: Cluster
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  readonly intake: Intake
  readonly membership: Membership
  readonly dispatcher: Dispatcher
  readonly committer: Committer
  readonly fetcher: Fetcher
  readonly positions: Positions
  readonly stored: StoredPositions | undefined
  readonly subscription: Subscription
  /** Makes the retry topics, where there are any. */
  readonly retries?: DeadLetterWriter | undefined
  readonly onFatal: (error: Error) => void
}

/** Between two looks at the metadata for a topic that the group knows and the metadata does not yet. */
const UNKNOWN_TOPIC_WAIT_MS = 200

/**
 * Moves what is owned towards what the group wants, one change at a time, the latest target first: what goes is
 * drained, committed and only then acknowledged; what comes gets a new incarnation and is begun at its position.
 */
export class Assignment {
  readonly #options: AssignmentOptions
  readonly #owned = new Map<string, AssignedPartition>()
  /** The newest target that was not begun yet. */
  #target: readonly TopicPartitions[] | undefined
  #isReconciling = false
  /** Changes when the group takes everything away, and at the end: whatever was under way then is void. */
  #generation = 0
  #incarnations = 0
  #closed = false
  /** Topic ids by name, to notice one that changed. */
  readonly #topicIds = new Map<string, string>()

  constructor(options: AssignmentOptions) {
    this.#options = options
  }

  get partitions(): Iterable<AssignedPartition> {
    return this.#owned.values()
  }

  owned(): readonly TopicPartitions[] {
    const byTopic = new Map<string, number[]>()
    for (const { topicId, partition } of this.#owned.values()) {
      const list = byTopic.get(topicId)
      if (list === undefined) byTopic.set(topicId, [partition])
      else list.push(partition)
    }
    return Array.from(byTopic, ([topicId, partitions]) => ({ topicId, partitions }))
  }

  retarget(target: readonly TopicPartitions[]): void {
    if (this.#closed) return
    this.#target = target
    if (!this.#isReconciling) void this.#reconcile()
  }

  /** The group has given all of it to others already. */
  loseAll(reason: Error): void {
    this.#generation++
    this.#target = undefined
    const lost = [...this.#owned.values()]
    this.#owned.clear()
    if (lost.length === 0) return
    const all = withRetries(lost)
    for (const partition of all) this.#release(partition)
    void this.#options.dispatcher.drain(all, 0, revoked)
    this.#options.events.emit('lost', { partitions: lost.map(({ place }) => place), reason })
  }

  /**
   * Gives everything back at the end: a change that is under way is not waited for. Resolves with what may not have been
   * committed, and the number of handlers given up.
   */
  async close(limit: TimeLimit) {
    const { committer } = this.#options
    this.#closed = true
    this.#generation++
    this.#target = undefined
    const partitions = withRetries(this.#owned.values())
    const abandoned = await this.#end(partitions, limit.leftMs(), closeGraceMs.abort)
    const commitMs = limit.leftMs(closeGraceMs.commit)
    await limit.allows(committer.flush(partitions, commitMs), closeGraceMs.commit)
    const places = committer.uncommitted(partitions).map(({ place }) => place)
    for (const partition of partitions) {
      this.#release(partition)
    }
    this.#owned.clear()
    return { abandonedHandlers: abandoned, uncommitted: places }
  }

  async #reconcile(): Promise<void> {
    this.#isReconciling = true
    while (this.#target !== undefined) {
      const target = this.#target
      const generation = this.#generation
      this.#target = undefined
      const unknown = await this.#move(target)
      if (unknown === 0 || this.#closed) continue
      await this.#options.clock.sleep(UNKNOWN_TOPIC_WAIT_MS)
      if (generation === this.#generation) this.#target ??= target
    }
    this.#isReconciling = false
  }

  /** Returns how many topics of the target are not known. */
  async #move(target: readonly TopicPartitions[]): Promise<number> {
    const generation = this.#generation
    await turnBetween(target.length)
    if (generation !== this.#generation) return 0
    const wanted = new Set(target.flatMap(({ topicId, partitions }) => partitions.map((n) => key(topicId, n))))
    const going = [...this.#owned.values()].filter((partition) => !wanted.has(keyOf(partition)))
    // Those with nothing running can go at once; they do not wait for the others' handlers.
    const { dispatcher } = this.#options
    const isBusy = (partition: AssignedPartition): boolean =>
      withRetries([partition]).some((one) => dispatcher.isBusy(one))
    const busy = new Set(going.filter(isBusy))
    for (const partition of withRetries(busy)) this.#beginDrain(partition)
    await this.#revoke(
      going.filter((partition) => !busy.has(partition)),
      generation,
    )
    await this.#revoke([...busy], generation)
    if (generation !== this.#generation || this.#target !== undefined || this.#closed) return 0
    return await this.#add(target, generation)
  }

  async #revoke(partitions: readonly AssignedPartition[], generation: number): Promise<void> {
    if (partitions.length === 0 || generation !== this.#generation) return
    const { settings, events, membership } = this.#options
    const all = withRetries(partitions)
    const abandoned = await this.#drain(all, settings.rebalanceTimeoutMs / 2)
    if (generation !== this.#generation) return
    const places: OffsetPlace[] = partitions.map(({ place }) => place)
    for (const partition of all) this.#release(partition)
    for (const partition of partitions) this.#owned.delete(keyOf(partition))
    membership.ownedChanged()
    events.emit('revoked', { partitions: places, abandonedHandlers: abandoned })
  }

  #beginDrain(partition: AssignedPartition): void {
    if (partition.phase !== 'released') partition.phase = partition.log === undefined ? 'released' : 'draining'
    this.#options.fetcher.remove(partition)
  }

  /** Ends what runs and commits what is finished; afterwards no commit of these partitions is in flight. */
  async #drain(partitions: readonly AssignedPartition[], timeoutMs: number): Promise<number> {
    const { committer, clock } = this.#options
    const untilMs = clock.monotonicMs() + timeoutMs
    const abandoned = await this.#end(partitions, timeoutMs)
    await committer.flush(partitions, Math.max(COMMIT_MS, untilMs - clock.monotonicMs()))
    return abandoned
  }

  /** Fetches nothing more and ends what runs. Returns how many handlers had to be given up. */
  async #end(partitions: readonly AssignedPartition[], timeoutMs: number, abortGraceMs?: number): Promise<number> {
    for (const partition of partitions) this.#beginDrain(partition)
    const abandoned = await this.#options.dispatcher.drain(partitions, timeoutMs, revoked, abortGraceMs)
    return abandoned.length
  }

  #release(partition: AssignedPartition): void {
    const { intake, committer, fetcher, stored } = this.#options
    partition.phase = 'released'
    fetcher.remove(partition)
    committer.remove(partition)
    intake.remove(partition)
    stored?.released(partition)
  }

  async #add(target: readonly TopicPartitions[], generation: number): Promise<number> {
    const { cluster, subscription, events, membership } = this.#options
    if (target.some(({ topicId }) => cluster.topicById(topicId) === undefined)) {
      await cluster
        .refresh(subscription.names)
        .catch((error: unknown) => events.emit('error', { during: 'metadata', error }))
    }
    const retryTopics = await this.#retryTopics(target)
    await turnBetween(target.length)
    if (generation !== this.#generation || this.#closed) return 0
    const { added, unknown } = await this.#createAll(target, retryTopics, generation)
    // A pattern may find ever new topics, and lose them again.
    for (const name of this.#topicIds.keys()) if (subscription.topic(name) === undefined) this.#topicIds.delete(name)
    await turnBetween(added.length)
    if (generation !== this.#generation) return 0
    membership.ownedChanged()
    // What waits in a retry partition is known before the partition that it is from begins.
    void this.#find(added.map((partition) => partition.retries?.partition ?? partition))
    return unknown
  }

  /** Ends early where all is lost or closed between two slices: that released what was created so far. */
  async #createAll(
    target: readonly TopicPartitions[],
    retryTopics: ReadonlyMap<string, TopicMetadata | null>,
    generation: number,
  ) {
    const { cluster } = this.#options
    const added: AssignedPartition[] = []
    let unknown = 0
    const slices = new TimeSlices()
    for (const { topicId, partitions } of target) {
      if (slices.isOver()) await slices.next()
      if (generation !== this.#generation) break
      const name = cluster.topicById(topicId)?.name
      const retryTopic = name === undefined ? undefined : retryTopics.get(name)
      if (name === undefined || retryTopic === null) unknown++
      else added.push(...this.#create(name, topicId, partitions, retryTopic))
    }
    return { added, unknown }
  }

  async #find(partitions: readonly AssignedPartition[]): Promise<void> {
    await this.#options.committer.settled()
    await turnBetween(partitions.length)
    await this.#options.positions.find(partitions)
  }

  /** By the topics they are for; null: it is not there yet. */
  async #retryTopics(target: readonly TopicPartitions[]): Promise<ReadonlyMap<string, TopicMetadata | null>> {
    const { cluster, retries, events, onFatal } = this.#options
    const found = new Map<string, TopicMetadata | null>()
    if (retries === undefined) return found
    for (const { topicId } of target) {
      const name = cluster.topicById(topicId)?.name
      if (name === undefined || isOwnTopic(name)) continue
      try {
        found.set(name, await retries.prepare(name))
      } catch (error) {
        found.set(name, null)
        events.emit('error', { during: 'retry_topic', error })
        if (error instanceof BrokerError && !classify(error.apiCode).retriable) onFatal(error)
      }
    }
    return found
  }

  #create(
    name: string,
    topicId: string,
    partitions: readonly number[],
    retryTopic: TopicMetadata | undefined,
  ): AssignedPartition[] {
    const { subscription, settings } = this.#options
    const topic = subscription.topic(name)
    if (topic === undefined) return []
    this.#noteTopicId(name, topicId)
    const added: AssignedPartition[] = []
    for (const number of partitions) {
      if (this.#owned.has(key(topicId, number))) continue
      const partition = new AssignedPartition(topic, topicId, number, ++this.#incarnations)
      partition.priority = settings.topicPriority.get(name) ?? 'medium'
      this.#owned.set(keyOf(partition), partition)
      this.#enter(partition)
      if (retryTopic !== undefined) this.#enter(this.#pair(partition, retryTopic))
      added.push(partition)
    }
    return added
  }

  #enter(partition: AssignedPartition): void {
    this.#options.intake.add(partition)
    this.#options.committer.add(partition)
  }

  /** The partition of the same number in the retry topic, with codecs of its own topic. */
  #pair(partition: AssignedPartition, { name, id }: TopicMetadata): AssignedPartition {
    const topic = Object.freeze({ ...partition.topic, name })
    const retries = new AssignedPartition(topic, id, partition.partition, ++this.#incarnations)
    retries.priority = partition.priority
    retries.retryOf = partition
    partition.retries = new RetryBacklog(retries)
    return retries
  }

  #noteTopicId(topic: string, newId: string): void {
    const oldId = this.#topicIds.get(topic)
    this.#topicIds.set(topic, newId)
    if (oldId !== undefined && oldId !== newId) this.#options.events.emit('topicRecreated', { topic, oldId, newId })
  }
}

/** When handlers have used up all the time of a revocation, their commit still gets this long. */
const COMMIT_MS = 1_000

/** These, and those in which their records wait. */
export function withRetries(partitions: Iterable<AssignedPartition>): AssignedPartition[] {
  return [...partitions].flatMap((one) => (one.retries === undefined ? one : [one, one.retries.partition]))
}

const key = (topicId: string, partition: number): string => `${topicId}/${partition}`
const keyOf = ({ topicId, partition }: AssignedPartition): string => key(topicId, partition)
const revoked = ({ topicName, partition }: AssignedPartition): Error => new RevokedError(topicName, partition)
