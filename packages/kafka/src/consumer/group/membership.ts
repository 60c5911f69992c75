import { randomUUID } from 'node:crypto'
import { ClosedError, type Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import type { Cluster } from '../../cluster/cluster.ts'
import { classify } from '../../driver/classify.ts'
import type { HeartbeatResponse, TopicPartitions } from '../../driver/driver.ts'
import { BrokerError } from '../../errors.ts'
import { Backoff } from '../../async/backoff.ts'
import { MembershipError } from '../errors.ts'
import type { ConsumerEvents } from '../events.ts'
import { Farewell } from './leave.ts'
import { Liveness } from './liveness.ts'
import type { ConsumerSettings } from '../options.ts'
import { Signal } from '../../async/wakeup.ts'
import type { StateFile } from './state-file.ts'
import type { Subscription } from './subscription.ts'
import { closeGraceMs, type TimeLimit } from '../../time-limit.ts'
import type { ConsumerMembershipState } from '../consumer-state.ts'

/** Whoever carries out what the group decides. */
export interface MembershipListener {
  /** What is owned now, as the next heartbeat tells it. */
  owned(): readonly TopicPartitions[]
  /** What the group wants this member to own. */
  onTarget(target: readonly TopicPartitions[]): void
  /** All that was owned is somebody else's already. */
  onLost(reason: Error): void
  /** Heartbeats are answered again after a silence. */
  onResumed(): void
  /** The group will not have this member. */
  onFatal(error: Error): void
}

export interface MembershipOptions {
  readonly cluster: Cluster
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  readonly subscription: Subscription
  readonly listener: MembershipListener
  readonly stateFile: StateFile | undefined
}

/** What the next heartbeat tells although it is not a full one. */
interface News {
  readonly owned: boolean
  readonly topics: boolean
}

/** Where a member is between joining its group and leaving it. */
export type MembershipState = 'joining' | 'member' | 'leaving' | 'left' | 'failed'

/** While the group's assignment is on the move, so that a hand-over waits for as little as possible. */
const SETTLING_INTERVAL_MS = 100
/** As for the option: a broker that tells less, or nothing, would have heartbeats sent without pause. */
const LEAST_INTERVAL_MS = 50
/** For so long after the last change. */
const SETTLING_MS = 3_000

/**
 * A member of a KIP-848 consumer group: one loop of heartbeats, from joining (epoch 0) to leaving (-1). It comes at
 * least every `heartbeatIntervalMs`, early while an assignment is being reconciled, and goes on while handlers drain.
 */
export class Membership {
  readonly #options: MembershipOptions
  readonly #settings: ConsumerSettings
  readonly #clock: Clock
  readonly #signal: Signal
  readonly #backoff: Backoff
  readonly #farewell: Farewell
  readonly #liveness: Liveness
  #memberId: string = randomUUID()
  #epoch = 0
  #state: MembershipState = 'joining'
  #intervalMs: number
  /** A join was sent, whatever came of it, and no leave got through. */
  #hasJoined = false
  /** The next heartbeat tells everything: it joins, or the broker may have missed one. */
  #isFull = true
  #ownedChanged = false
  #topicsChanged = false
  #settlingUntilMs = -Infinity
  #joinedAtMs: number
  #answeredWaiters: ((answered: boolean) => void)[] = []
  #loop: Promise<void> | undefined

  constructor(options: MembershipOptions) {
    this.#options = options
    this.#settings = options.settings
    this.#clock = options.clock
    this.#signal = new Signal(options.clock)
    this.#backoff = new Backoff(100, 2_000)
    this.#farewell = new Farewell(options)
    this.#intervalMs = options.settings.heartbeatIntervalMs
    this.#joinedAtMs = options.clock.monotonicMs()
    this.#liveness = new Liveness({
      ...options,
      sessionTimeoutMs: options.settings.sessionTimeoutMs,
      onResumed: () => options.listener.onResumed(),
    })
  }

  get memberId(): string {
    return this.#memberId
  }

  get epoch(): number {
    return this.#epoch
  }

  get state(): MembershipState {
    return this.#state
  }

  /** Whether the group still counts on this member: a heartbeat within the session timeout was answered. */
  get isAlive(): boolean {
    return this.#liveness.isAlive
  }

  /** Whether the group may still know this member. */
  get mayBeKnown(): boolean {
    return this.#hasJoined
  }

  /** Whether partitions are on the move. */
  get isSettling(): boolean {
    return this.#clock.monotonicMs() < this.#settlingUntilMs
  }

  start(): void {
    this.#joinedAtMs = this.#clock.monotonicMs()
    this.#loop = this.#run()
  }

  /** What is owned has changed: tell the group at once. */
  ownedChanged(): void {
    this.#ownedChanged = true
    this.#settle()
    this.#signal.notify()
  }

  /** What is subscribed to has changed: tell the group at once. */
  topicsChanged(): void {
    this.#topicsChanged = true
    this.#settle()
    this.#signal.notify()
  }

  /** Resolves after the next heartbeat, sent at once: whether it was answered within `timeoutMs`. */
  refreshed(timeoutMs: number): Promise<boolean> {
    if (this.#isOver) return Promise.resolve(false)
    this.#signal.notify()
    return new Promise((resolve) => {
      const timer = this.#clock.setTimeout(() => resolve(false), timeoutMs)
      this.#answeredWaiters.push((answered) => {
        timer.cancel()
        resolve(answered)
      })
    })
  }

  /** A coordinator said that it does not know us: the next heartbeat, sent at once, finds out. */
  suspect(): void {
    this.#signal.notify()
  }

  /**
   * Ends the loop and leaves the group. Never throws: a group that cannot be told finds out by the session timeout. A
   * heartbeat that is not answered in time is not waited for: the leave follows it on the same connection, and reaches a
   * coordinator that was frozen when it runs again.
   */
  async leave(limit: TimeLimit): Promise<void> {
    if (!this.#isOver) this.#state = 'leaving'
    this.#signal.notify()
    if (this.#loop !== undefined) await limit.allows(this.#loop, closeGraceMs.leave)
    if (this.#isFailed) return
    if (this.#hasJoined && (await this.#farewell.leave(this.#memberId, limit))) this.#hasJoined = false
    this.#state = 'left'
  }

  inspect(): ConsumerMembershipState {
    return {
      state: this.#state,
      memberId: this.#memberId,
      epoch: this.#epoch,
      intervalMs: this.#intervalMs,
      silentMs: this.#liveness.silentMs,
      suspended: this.#liveness.suspended,
    }
  }

  /** A getter, since the type checker takes the field for unchanged while something is awaited. */
  get #isFailed(): boolean {
    return this.#state === 'failed'
  }

  get #isOver(): boolean {
    return this.#state === 'leaving' || this.#state === 'left' || this.#state === 'failed'
  }

  #settle(): void {
    this.#settlingUntilMs = this.#clock.monotonicMs() + SETTLING_MS
  }

  async #run(): Promise<void> {
    try {
      await this.#farewell.dismissFormer(this.#options.stateFile, this.#memberId, {
        isOver: () => this.#isOver,
        pause: () => this.#signal.wait(this.#backoff.nextMs()),
      })
      while (!this.#isOver) {
        const waitMs = await this.#beat()
        if (!this.#isOver) await this.#signal.wait(waitMs)
      }
    } catch (error) {
      // The state file cannot be read or written.
      this.#refuse(error as Error)
    }
    this.#wakeWaiters(false)
  }

  /** One heartbeat; returns when the next is due. */
  async #beat(): Promise<number> {
    const sentAtMs = this.#clock.monotonicMs()
    const tells = { owned: this.#isFull || this.#ownedChanged, topics: this.#topicsChanged }
    this.#ownedChanged = false
    this.#topicsChanged = false
    try {
      const answer = await this.#send(this.#epoch, tells)
      this.#isFull = false
      this.#accept(answer, sentAtMs)
      return this.isSettling ? Math.min(SETTLING_INTERVAL_MS, this.#intervalMs) : this.#intervalMs
    } catch (error) {
      this.#isFull = true
      return this.#failed(error as Error)
    }
  }

  async #send(epoch: number, tells: News): Promise<HeartbeatResponse> {
    const { cluster, settings, subscription, listener } = this.#options
    const coordinator = await cluster.coordinator('group', settings.group)
    // A heartbeat after the leave would register this member again.
    if (this.#isOver) throw new ClosedError('the membership')
    const isFull = this.#isFull && epoch >= 0
    this.#hasJoined = true
    return await cluster.driver.heartbeat(coordinator, {
      group: settings.group,
      memberId: this.#memberId,
      memberEpoch: epoch,
      instanceId: settings.instanceId,
      rackId: isFull ? settings.rackId : null,
      rebalanceTimeoutMs: isFull ? settings.rebalanceTimeoutMs : -1,
      topics: isFull || tells.topics ? subscription.names : null,
      assignor: null,
      owned: epoch === 0 ? [] : tells.owned && epoch > 0 ? listener.owned() : null,
    })
  }

  #accept(answer: HeartbeatResponse, sentAtMs: number): void {
    // Nothing has failed, and yet the answer took longer than the group waits, or this process was frozen.
    if (this.#state === 'member') this.#liveness.look()
    this.#backoff.reset()
    const askedMs = Math.min(answer.heartbeatIntervalMs, this.#settings.heartbeatIntervalMs)
    this.#intervalMs = Math.max(askedMs, LEAST_INTERVAL_MS)
    if (answer.memberEpoch !== this.#epoch || answer.assignment !== null) this.#settle()
    this.#epoch = answer.memberEpoch
    if (this.#state === 'joining') this.#state = 'member'
    this.#liveness.answered(sentAtMs)
    this.#wakeWaiters(true)
    if (answer.assignment !== null && !this.#isOver) this.#options.listener.onTarget(answer.assignment)
  }

  #wakeWaiters(answered: boolean): void {
    const waiters = this.#answeredWaiters
    this.#answeredWaiters = []
    for (const wake of waiters) wake(answered)
  }

  async #failed(error: Error): Promise<number> {
    // The leave reports its own failures.
    if (this.#isOver) return 0
    if (error instanceof BrokerError) {
      if (error.apiError === 'UNKNOWN_MEMBER_ID' || error.apiError === 'FENCED_MEMBER_EPOCH') {
        return await this.#lost(error)
      }
      if (error.apiError === 'UNRELEASED_INSTANCE_ID' && !this.#waitedForInstance()) return this.#tryAgain(error)
      if (!classify(error.apiCode).retriable || error.apiError === 'UNRELEASED_INSTANCE_ID') return this.#refuse(error)
    } else if ((error as { retriable?: boolean }).retriable !== true) {
      return this.#refuse(error)
    }
    this.#options.cluster.forgetCoordinator('group', this.#settings.group)
    return this.#tryAgain(error)
  }

  /** The previous holder of a static instance id has a session timeout to go. */
  #waitedForInstance(): boolean {
    return this.#clock.monotonicMs() - this.#joinedAtMs > this.#settings.sessionTimeoutMs + 5_000
  }

  #tryAgain(error: Error): number {
    this.#options.events.emit('error', { during: 'heartbeat', error })
    if (this.#state === 'member') this.#liveness.look()
    return this.#backoff.nextMs()
  }

  async #lost(error: Error): Promise<number> {
    if (this.#isOver) return 0
    const other = await this.#options.stateFile?.otherMember(this.#memberId)
    // The member may have begun to leave while the file was read. Joining again would undo that, and never end.
    if (this.#isOver) return 0
    this.#epoch = 0
    this.#state = 'joining'
    this.#joinedAtMs = this.#clock.monotonicMs()
    this.#options.listener.onLost(error)
    if (other !== undefined) {
      const message = `Another process took over as member ${other} of group ${this.#settings.group}`
      return this.#refuse(new MembershipError(this.#settings.group, message, error))
    }
    return 0
  }

  #refuse(error: Error): number {
    this.#state = 'failed'
    const { group } = this.#settings
    const shown = error instanceof BrokerError ? refusal(group, error) : error
    this.#options.listener.onFatal(shown)
    return 0
  }
}

function refusal(group: string, error: BrokerError): MembershipError {
  const because =
    error.apiError === 'UNRELEASED_INSTANCE_ID'
      ? 'another live member holds its instance id, or one that was killed and whose session has not ended'
      : error.apiError === 'FENCED_INSTANCE_ID'
        ? 'another member took its instance id over'
        : error.message
  return new MembershipError(group, `Group ${group} refuses this consumer: ${because}`, error)
}
