import type { Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import type { Cluster } from '../cluster/cluster.ts'
import type { TopicPartitions } from '../driver/driver.ts'
import { Backoff } from '../async/backoff.ts'
import { BrokerError } from '../errors.ts'
import { classify } from '../driver/classify.ts'
import type { DeadLetterWriter } from '../dead-letters/dead-letter-writer.ts'
import { scanRetries } from './failure/retry-scan.ts'
import { Assignment, withRetries } from './assignment/assignment.ts'
import type { CommitRoute } from './commit/commit-route.ts'
import { Committer } from './commit/committer.ts'
import { Dispatcher, type DispatcherOptions } from './dispatch/dispatcher.ts'
import { OffsetOutsideLogError, RevokedError } from './errors.ts'
import type { ConsumerEvents } from './events.ts'
import type { OffsetPlace } from '../record/places.ts'
import { LaneRetries, type FailureRoute } from './failure/failure-route.ts'
import { Fetcher } from './intake/fetcher.ts'
import { GroupCommits } from './commit/group-commits.ts'
import { Intake } from './intake/intake.ts'
import { Membership, type MembershipListener } from './group/membership.ts'
import type { ConsumerSettings } from './options.ts'
import type { AssignedPartition } from './partition.ts'
import { PartitionLog } from './intake/partition-log.ts'
import { Positions } from './assignment/positions.ts'
import { type FoundPosition } from './assignment/found-position.ts'
import { StoredPositions } from './assignment/stored-positions.ts'
import { Pressure, type ProcessReadings } from './pressure.ts'
import type { StateFile } from './group/state-file.ts'
import { Subscription } from './group/subscription.ts'
import type { TimeLimit } from '../time-limit.ts'
import { Tracker } from './commit/tracker.ts'
import { Unreadables } from '../incoming/unreadable.ts'
import type { ConsumerPartitionState, ConsumerSessionState } from './consumer-state.ts'

export interface SessionOptions extends Pick<DispatcherOptions, 'handler' | 'batch' | 'hasDemand' | 'tracing'> {
  readonly cluster: Cluster
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  readonly stateFile: StateFile | undefined
  /** What becomes of records that fail. Default: a few attempts in their lane, then the consumer stops. */
  readonly route?: FailureRoute
  /** How offsets are committed. Default: by themselves. */
  readonly commits?: ((host: CommitHost) => CommitRoute) | undefined
  /** Makes the retry topics, where there are any. */
  readonly retries?: DeadLetterWriter | undefined
  /** What tells of memory and processors. Default: those of this process. */
  readonly readings?: ProcessReadings
  /** Something made it senseless to go on: the session is to be closed. */
  readonly onFatal: (error: Error) => void
}

/** What a way to commit needs of the session that it is for. */
export interface CommitHost {
  readonly membership: Membership
  readonly intake: Intake
  readonly settings: ConsumerSettings
  /** What becomes of records that fail. */
  readonly route: FailureRoute
  /** For what a commit needs and did not get; it is tried again. */
  readonly onFailure: (error: unknown) => void
  /** Commits now, and not only at the next interval. */
  readonly onDue: () => void
  /** Handlers may begin that had to wait for a commit. */
  readonly onRoom: () => void
}

/** What closing had to leave undone. Records named here will be handled again, by whoever reads the partition next. */
export interface CloseReport {
  /** Handlers, and failures on their way to a dead letter, that did not end in time and were not waited for. */
  readonly abandonedHandlers: number
  /** Positions that the group may not know of. */
  readonly uncommitted: readonly OffsetPlace[]
}

/** One time in the group, from joining to leaving: the parts of the consumer, and what they tell each other. */
export class Session implements MembershipListener {
  readonly #options: SessionOptions
  readonly #intake: Intake
  readonly #subscription: Subscription
  readonly #membership: Membership
  readonly #positions: Positions
  readonly #commits: CommitRoute
  readonly #committer: Committer
  readonly #dispatcher: Dispatcher
  readonly #fetcher: Fetcher
  readonly #assignment: Assignment
  readonly #pressure: Pressure | undefined
  readonly #unreadables: Unreadables
  readonly #closing = new AbortController()

  constructor(options: SessionOptions) {
    const { settings, onFatal } = options
    this.#options = options
    this.#unreadables = new Unreadables({
      policy: settings.unreadable,
      limits: settings.limits,
      emit: (event) => options.events.emit('unreadable', event),
    })
    this.#intake = new Intake({ ...settings, onRoom: () => this.#roomed() })
    this.#subscription = new Subscription({ ...options, onChanged: (added) => this.#resubscribed(added) })
    this.#membership = new Membership({ ...options, subscription: this.#subscription, listener: this })
    const { positionStore } = settings
    const shared = {
      ...options,
      subscription: this.#subscription,
      membership: this.#membership,
      intake: this.#intake,
      stored: positionStore && new StoredPositions(positionStore, this.#membership),
    }
    const route = options.route ?? new LaneRetries(settings)
    this.#positions = new Positions({ ...shared, onFound: (found) => this.#found(found) })
    this.#commits = options.commits?.(this.#commitHost(route)) ?? new GroupCommits(shared)
    this.#committer = new Committer({ ...shared, route: this.#commits })
    this.#dispatcher = new Dispatcher({
      ...options,
      route,
      outputs: this.#commits.outputs,
      pollRecords: () => this.#pressure?.pollRecords ?? settings.maxPollRecords,
      mayDispatch: () => this.#membership.isAlive,
    })
    this.#pressure = settings.pressure ? this.#newPressure() : undefined
    this.#fetcher = new Fetcher({
      ...shared,
      onRecords: (partition) => this.#dispatcher.offer(partition),
      onOutOfRange: (partition) => this.#outOfRange(partition),
      onDiverged: (partition, offset, leaderEpoch) =>
        this.#begin({ partition, offset, leaderEpoch, reset: 'log_diverged' }),
      onFatal,
    })
    this.#assignment = new Assignment({
      ...shared,
      dispatcher: this.#dispatcher,
      committer: this.#committer,
      fetcher: this.#fetcher,
      positions: this.#positions,
    })
  }

  get partitions(): Iterable<AssignedPartition> {
    return this.#assignment.partitions
  }

  /** Whether the group keeps partitions for this member, for all that is known. */
  get mayBeKnown(): boolean {
    return this.#membership.mayBeKnown
  }

  /** Joins the group; all else follows from what it answers. */
  async start(): Promise<void> {
    await this.#positions.look(this.#closing.signal)
    if (this.#closing.signal.aborted) return
    this.#membership.start()
    this.#subscription.start()
    this.#committer.start()
    this.#pressure?.start()
  }

  setPaused(partition: AssignedPartition, paused: boolean): void {
    if (partition.paused === paused) return
    partition.paused = paused
    if (partition.retries !== undefined) this.setPaused(partition.retries.partition, paused)
    if (paused) {
      this.#intake.withdraw(partition)
      this.#dispatcher.paused(partition)
    } else {
      this.#fetcher.wake()
      this.#dispatcher.resumed(partition)
    }
  }

  /** Somebody asks for more. */
  demanded(): void {
    this.#dispatcher.schedule()
  }

  /** Stops fetching, waits for what runs, commits, leaves. */
  async close(limit: TimeLimit): Promise<CloseReport> {
    this.#closing.abort()
    this.#subscription.stop()
    this.#pressure?.stop()
    this.#fetcher.stop()
    const report = await this.#assignment.close(limit)
    this.#dispatcher.close()
    await this.#committer.stop(limit)
    await this.#membership.leave(limit)
    return report
  }

  owned(): readonly TopicPartitions[] {
    return this.#assignment.owned()
  }

  onTarget(target: readonly TopicPartitions[]): void {
    this.#assignment.retarget(target)
  }

  onLost(reason: Error): void {
    this.#assignment.loseAll(reason)
  }

  onResumed(): void {
    this.#dispatcher.schedule()
  }

  onFatal(error: Error): void {
    this.#options.onFatal(error)
  }

  inspect(): ConsumerSessionState {
    return {
      membership: this.#membership.inspect(),
      gate: this.#intake.inspect(),
      fetcher: this.#fetcher.inspect(),
      dispatcher: this.#dispatcher.inspect(),
      committer: this.#committer.inspect(),
      pressure: this.#pressure?.inspect(),
      unreadable: this.#unreadables.inspect(),
      partitions: withRetries(this.#assignment.partitions).map(inspectPartition),
    }
  }

  #commitHost(route: FailureRoute): CommitHost {
    return {
      settings: this.#options.settings,
      route,
      membership: this.#membership,
      intake: this.#intake,
      onFailure: (error) => this.#options.events.emit('error', { during: 'commit', error }),
      onDue: () => this.#committer.soon(),
      onRoom: () => this.#dispatcher.schedule(),
    }
  }

  #newPressure(): Pressure {
    const { clock, events, settings, readings } = this.#options
    return new Pressure({
      clock,
      events,
      readings,
      maxPollRecords: settings.maxPollRecords,
      freeSlots: () => this.#dispatcher.freeSlots,
      meanHandlingMs: () => this.#dispatcher.meanHandlingMs,
      onBudgetShare: (share) => this.#intake.use(share),
    })
  }

  #resubscribed(added: readonly string[]): void {
    this.#positions.noteNew(added)
    this.#membership.topicsChanged()
  }

  #roomed(): void {
    this.#fetcher.wake()
    this.#dispatcher.unpark()
  }

  #found(found: readonly FoundPosition[]): void {
    const assigned: OffsetPlace[] = []
    for (const one of found) {
      const { partition, offset } = one
      if (!partition.isLive) continue
      if (partition.retryOf !== undefined && partition.phase === 'starting') {
        void this.#beginRetries(one, partition.retryOf)
        continue
      }
      if (partition.phase === 'starting') assigned.push({ ...placeOf(partition), offset })
      this.#begin(one)
    }
    if (assigned.length > 0) this.#options.events.emit('assigned', { partitions: assigned })
  }

  /** Looks through what waits, where its order counts; then it begins, and the partition it is from after it. */
  async #beginRetries(found: FoundPosition, of: AssignedPartition): Promise<void> {
    const { cluster, clock, settings, events, onFatal } = this.#options
    const { partition, offset, finished = [] } = found
    const backoff = new Backoff(50, 2_000)
    const scan = { cluster, clock, of, backlog: of.retries!, offset, finished, limits: settings.limits }
    while (partition.isLive && settings.order === 'key') {
      try {
        await scanRetries(scan)
        break
      } catch (error) {
        events.emit('error', { during: 'retry_topic', error })
        if (error instanceof BrokerError && !classify(error.apiCode).retriable) return onFatal(error)
      }
      await clock.sleep(backoff.nextMs())
    }
    if (!partition.isLive || !of.isLive) return
    this.#begin(found)
    await this.#positions.find([of])
  }

  /** (Re)starts a partition at a position. */
  #begin({ partition, offset, leaderEpoch, reset, finished, isStored }: FoundPosition): void {
    const { events } = this.#options
    const from = partition.log?.tracker.taken ?? null
    if (reset !== undefined) events.emit('reset', { ...placeOf(partition), offset, from, reason: reset })
    const { log } = partition
    // It was looked through as it was.
    if (log !== undefined) partition.retryOf?.retries?.clear()
    // What was fetched of a log that is not the leader's is not to be handled.
    if (log !== undefined && (offset < log.end || reset === 'log_diverged')) {
      return void this.#rewind(partition, offset, reset === 'log_diverged' ? leaderEpoch : -1)
    }
    if (log === undefined) {
      const tracker = new Tracker(offset, finished)
      partition.log = new PartitionLog(partition, this.#intake, tracker, this.#unreadables)
      partition.committed = reset === undefined && isStored !== true ? offset : -1
    } else log.skipTo(offset)
    this.#goOn(partition, offset, leaderEpoch)
  }

  #goOn(partition: AssignedPartition, offset: number, leaderEpoch: number): void {
    if (!partition.isLive) return
    partition.phase = 'active'
    partition.position = offset
    partition.lastEpoch = leaderEpoch
    this.#fetcher.add(partition)
    this.#fetcher.wake()
    // A position that nobody has committed would be looked for anew by the next owner, and found elsewhere.
    if (partition.committed < 0) this.#committer.soon()
  }

  /** Goes back in the log, once what runs has ended. `sharedEpoch`: up to `offset` the log is as it was; else -1. */
  async #rewind(partition: AssignedPartition, offset: number, sharedEpoch: number): Promise<void> {
    const { settings } = this.#options
    partition.position = -1
    const reason = new RevokedError(partition.topicName, partition.partition)
    await this.#dispatcher.drain([partition], settings.rebalanceTimeoutMs / 2, () => reason)
    if (partition.phase !== 'active') return
    this.#intake.releaseAll(partition)
    // What was out and has not ended well comes again, though the logs part only behind it.
    const { finishedTo } = partition
    if (settings.positionStore !== undefined && partition.retryOf === undefined && offset < finishedTo) {
      const place = { ...placeOf(partition), offset: finishedTo }
      return this.#options.onFatal(new OffsetOutsideLogError(place, -1, offset))
    }
    const from = Math.min(offset, finishedTo)
    const isShared = sharedEpoch >= 0
    const finished = isShared ? partition.log!.tracker.rangesAhead().filter(({ start }) => start < offset) : []
    const tracker = new Tracker(
      from,
      finished.map(({ start, end }) => ({ start, end: Math.min(end, offset) })),
    )
    this.#commits.outputs?.rewound(partition, isShared ? offset : from)
    partition.log = new PartitionLog(partition, this.#intake, tracker, this.#unreadables)
    partition.log.epoch = sharedEpoch
    partition.committed = -1
    partition.committedRevision = 0
    this.#goOn(partition, from, -1)
  }

  #outOfRange(partition: AssignedPartition): void {
    const { position } = partition
    partition.position = -1
    this.#positions.outOfRange(partition, position)
  }
}

const placeOf = ({ topicName, partition }: AssignedPartition) => ({ topic: topicName, partition })

function inspectPartition(one: AssignedPartition): ConsumerPartitionState {
  return {
    topic: one.topicName,
    partition: one.partition,
    incarnation: one.incarnation,
    phase: one.phase,
    paused: one.paused,
    position: one.position,
    finishedTo: one.finishedTo,
    finishedAhead: one.log?.tracker.finishedAhead ?? 0,
    committed: one.committed,
    highWatermark: one.highWatermark,
    lagRecords: one.highWatermark < 0 || one.finishedTo < 0 ? null : Math.max(0, one.highWatermark - one.finishedTo),
    ...one.usage,
  }
}
