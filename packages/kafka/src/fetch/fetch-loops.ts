import type { Clock } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import { brokerError, classify } from '../driver/classify.ts'
import type { BrokerNode, FetchedPartition } from '../driver/driver.ts'
import {
  type FetchedBroker,
  BrokerLoop,
  type FetchAsk,
  type FetchBudget,
  type FetchSettings,
  type FetchTarget,
} from './broker-loop.ts'
import { PreferredReplicas } from './preferred-replicas.ts'
import { Router } from './router.ts'

export interface FetchLoopsOptions<P extends FetchTarget, Ask extends FetchAsk<P>> {
  readonly cluster: Cluster
  readonly settings: FetchSettings
  readonly clock: Clock
  readonly intake: FetchBudget<P, Ask>
  /** Takes the answer of a partition in and settles its ask. What it throws is fatal: then the ask is not settled. */
  readonly takeIn: (ask: Ask, fetched: FetchedPartition) => void
  /** That was done. */
  readonly onTaken: (partition: P) => void
  /** Its position is not (any longer) in the log. */
  readonly onOutOfRange: (partition: P) => void
  /** The log that was read so far is not the leader's, which parts from it at `endOffset`. */
  readonly onDiverged: (partition: P, endOffset: number, leaderEpoch: number) => void
  /** Something failed that is tried again. */
  readonly onError: (during: 'metadata' | 'fetch', error: unknown) => void
  readonly onFatal: (error: Error) => void
}

/** Where a consumer fetches. */
export interface FetchLoopsState {
  readonly brokers: readonly FetchedBroker[]
  /** Partitions whose leader is not known at the moment. */
  readonly withoutLeader: number
}

/**
 * Keeps one fetch loop for each broker that partitions are fetched from, and each partition in the loop of its leader,
 * or of the follower that the leader named as nearer.
 */
export class FetchLoops<P extends FetchTarget, Ask extends FetchAsk<P>> {
  readonly #options: FetchLoopsOptions<P, Ask>
  readonly #loops = new Map<number, BrokerLoop<P, Ask>>()
  readonly #router: Router<P>
  readonly #preferred: PreferredReplicas<P>
  #stopped = false

  constructor(options: FetchLoopsOptions<P, Ask>) {
    this.#options = options
    this.#preferred = new PreferredReplicas(options.cluster, options.clock, options.settings.rackId)
    this.#router = new Router({
      cluster: options.cluster,
      clock: options.clock,
      onError: (error) => options.onError('metadata', error),
      onLeader: (partition, leader) => this.#place(partition, leader),
    })
  }

  add(partition: P): void {
    this.#router.route(partition)
  }

  remove(partition: P): void {
    this.#takeOut(partition)
    this.#preferred.forget(partition)
    this.#router.forget(partition)
  }

  /** There is room, or a partition was resumed. */
  wake(): void {
    for (const loop of this.#loops.values()) loop.wake()
  }

  /** Fetches nothing more. What a fetch under way still brings is discarded. */
  stop(): void {
    this.#stopped = true
    this.#router.stop()
    for (const loop of this.#loops.values()) loop.stop()
  }

  inspect(): FetchLoopsState {
    return {
      brokers: Array.from(this.#loops.values(), (loop) => loop.inspect()),
      withoutLeader: this.#router.waiting,
    }
  }

  #place(partition: P, leader: BrokerNode): void {
    this.#preferred.forget(partition)
    this.#move(partition, leader)
  }

  #move(partition: P, broker: BrokerNode): void {
    if (this.#stopped || this.#loops.get(broker.id)?.leads(partition, broker)) return
    this.#takeOut(partition)
    this.#loopOf(broker).add(partition)
  }

  #loopOf(broker: BrokerNode): BrokerLoop<P, Ask> {
    const found = this.#loops.get(broker.id)
    if (found?.isAt(broker)) return found
    if (found !== undefined) this.#end(found)
    const { cluster, settings, clock, intake } = this.#options
    const loop = new BrokerLoop({
      broker,
      cluster,
      settings,
      clock,
      intake,
      rackId: () => this.#preferred.rackId,
      onFetched: (ask, fetched) => this.#fetched(broker, ask, fetched),
      onFailed: (failed, error) => this.#brokerFailed(failed, error),
      onSilent: (silent) => this.#brokerSilent(silent),
    })
    this.#loops.set(broker.id, loop)
    return loop
  }

  /** Its partitions look for a leader again. */
  #end(loop: BrokerLoop<P, Ask>): void {
    loop.stop()
    if (this.#loops.get(loop.broker.id) === loop) this.#loops.delete(loop.broker.id)
    for (const partition of loop.partitions) {
      this.#options.intake.withdraw(partition)
      if (this.#preferred.isPreferred(partition, loop.broker)) this.#preferred.failed(partition)
      this.#router.reroute(partition)
    }
  }

  #takeOut(partition: P): void {
    this.#options.intake.withdraw(partition)
    for (const loop of this.#loops.values()) {
      if (!loop.remove(partition) || loop.partitions.size > 0) continue
      loop.stop()
      this.#loops.delete(loop.broker.id)
    }
  }

  #brokerFailed(loop: BrokerLoop<P, Ask>, error: Error): void {
    if (this.#stopped) return
    this.#options.onError('fetch', error)
    if ((error as { retriable?: boolean }).retriable !== true) this.#options.onFatal(error)
    this.#end(loop)
  }

  /** Its partitions may have a new leader: they stay with it unless the metadata says so. */
  #brokerSilent(loop: BrokerLoop<P, Ask>): void {
    for (const partition of loop.partitions) {
      if (this.#preferred.isPreferred(partition, loop.broker)) this.#preferred.failed(partition)
      this.#router.reroute(partition)
    }
  }

  #fetched(broker: BrokerNode, ask: Ask, fetched: FetchedPartition): void {
    const { partition } = ask
    const { intake, takeIn, onTaken, onFatal, onDiverged } = this.#options
    if (fetched.errorCode !== 0 || fetched.diverging !== undefined) {
      intake.settle(ask, 0, 0)
      if (fetched.errorCode !== 0) return this.#failed(broker, partition, fetched)
      return onDiverged(partition, fetched.diverging!.endOffset, fetched.diverging!.epoch)
    }
    this.#router.succeeded(partition)
    try {
      takeIn(ask, fetched)
    } catch (error) {
      intake.settle(ask, 0, 0)
      // The same would come again, as fast as the broker can answer.
      this.stop()
      return onFatal(error as Error)
    }
    this.#toNearest(broker, partition, fetched.preferredReplica)
    onTaken(partition)
  }

  /** Moves the partition to the replica that its leader has named, or back where that was too long ago. */
  #toNearest(broker: BrokerNode, partition: P, named: number): void {
    if (named >= 0 && named !== broker.id) {
      const nearer = this.#preferred.prefer(partition, named)
      if (nearer === undefined) this.#router.reroute(partition)
      else this.#move(partition, nearer)
    } else if (this.#preferred.isOutdated(partition)) this.#router.route(partition)
  }

  /** The follower does not have what is to be fetched, or is none any more: the leader decides what that means. */
  #leaveFollower(partition: P, isCurrent: boolean): void {
    this.#preferred.failed(partition)
    this.#takeOut(partition)
    if (isCurrent) this.#router.route(partition)
    else this.#router.reroute(partition)
  }

  #failed(broker: BrokerNode, partition: P, fetched: FetchedPartition): void {
    const { topicName, partition: number } = partition
    const { onError, cluster, onOutOfRange, onFatal } = this.#options
    const error = brokerError(fetched.errorCode, null, { topic: topicName, partition: number })
    const isOutOfRange = error.apiError === 'OFFSET_OUT_OF_RANGE'
    const isFollower = this.#preferred.isPreferred(partition, broker)
    if (isOutOfRange && !isFollower) return onOutOfRange(partition)
    onError('fetch', error)
    if (isFollower) return this.#leaveFollower(partition, isOutOfRange)
    if (!mayPass(fetched.errorCode)) return onFatal(error)
    if (fetched.leaderHint !== undefined) cluster.noteLeader(topicName, number, fetched.leaderHint)
    this.#takeOut(partition)
    this.#router.reroute(partition)
  }
}

/** What a broker cannot name may be over at the next fetch, as a failing disk or a bug in it. */
function mayPass(errorCode: number): boolean {
  const { retriable, name } = classify(errorCode)
  return retriable || name === 'UNKNOWN_SERVER_ERROR'
}
