import type { Clock } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import type { BrokerNode, FetchedPartition, FetchResponse, Isolation } from '../driver/driver.ts'
import { turnBetween } from '../driver/time-slices.ts'
import type { Routed } from './router.ts'
import { Signal } from '../async/wakeup.ts'

/** A partition as fetching sees it. */
export interface FetchTarget extends Routed {
  /** Where the next fetch starts. */
  readonly position: number
  /** Of the last batch fetched; -1 unknown. */
  readonly lastEpoch: number
  readonly wantsFetch: boolean
  /** Nothing is known to wait in the log for it. */
  readonly isCaughtUp: boolean
  /** False: what a fetch under way brings for it is discarded. */
  readonly takesAnswer: boolean
}

/** What one partition may bring in from one fetch; it was reserved and has to be settled. */
export interface FetchAsk<P extends FetchTarget> {
  readonly partition: P
  readonly bytes: number
}

export interface FetchPlan<P extends FetchTarget, Ask extends FetchAsk<P> = FetchAsk<P>> {
  readonly asks: readonly Ask[]
  /** Some partitions were left out for want of room. */
  readonly waiting: boolean
  /** Of all asks together. Default: their sum. */
  readonly maxBytes?: number
}

interface TimedPlan<P extends FetchTarget, Ask extends FetchAsk<P>> extends FetchPlan<P, Ask> {
  /** How long the broker may wait for records. */
  readonly maxWaitMs: number
  /** Where nothing is asked for: when to look again, if there is no room before. */
  readonly againInMs: number
}

/** Decides how much may be fetched. */
export interface FetchBudget<P extends FetchTarget, Ask extends FetchAsk<P>> {
  /**
   * Reserves for as many of the partitions that want a fetch as there is room for, in their order. `onlyBehind`: for
   * none that is caught up. Called for every fetch: a list of a thousand partitions made each time would cost more than
   * the rest of it.
   */
  plan(partitions: Iterable<P>, onlyBehind: boolean): FetchPlan<P, Ask>
  /** The answer to an ask: what it brought is charged, what it had reserved is refunded. */
  settle(ask: Ask, bytes: number, records: number): void
  /** The partition cannot fetch now. */
  withdraw(partition: P): void
}

/** How a fetch is made. */
export interface FetchSettings {
  readonly isolation: Isolation
  /** How long a broker may wait for records to come. */
  readonly fetchMaxWaitMs: number
  /** Where the client is, as `broker.rack` says it of brokers; null: not known. */
  readonly rackId: string | null
}

export interface BrokerLoopOptions<P extends FetchTarget, Ask extends FetchAsk<P>> {
  readonly broker: BrokerNode
  readonly cluster: Cluster
  readonly settings: FetchSettings
  readonly clock: Clock
  readonly intake: FetchBudget<P, Ask>
  /** What the next fetch says of where the client is; empty: nothing. */
  readonly rackId: () => string
  /** The answer for one partition; its ask has to be settled. */
  readonly onFetched: (ask: Ask, fetched: FetchedPartition) => void
  /** The whole fetch failed. */
  readonly onFailed: (loop: BrokerLoop<P, Ask>, error: Error) => void
  /** There is no answer for longer than there should be. */
  readonly onSilent: (loop: BrokerLoop<P, Ask>) => void
}

/**
 * While others have records, fetches are answered at once, and to name a thousand caught-up partitions in each would cost
 * a broker more than the records do. They are asked for after this time for each of them, so that they take a tenth of
 * the time or so, and after the longest time at the latest.
 */
const CAUGHT_UP_MS_EACH = 0.1
const CAUGHT_UP_LONGEST_MS = 100
/** While others wait for room, caught-up partitions are asked for no more often than this. */
const WAITING_POLL_MS = 10
/** An answer is late when it takes so much longer than the broker may hold it. */
const SILENT_AFTER_MS = 3_000
const MAX_INT32 = 2 ** 31 - 1

/** The fetch loop of one broker. */
export interface FetchedBroker {
  readonly broker: number
  /** How many partitions are fetched there. */
  readonly partitions: number
  /** Fetch requests that were sent. */
  readonly fetches: number
}

/**
 * Fetches from one broker, one request at a time, for as long as it leads any partition of ours: a frozen broker holds
 * up nobody but itself. Each request names its partitions (no fetch session), in turn, since the broker spends the
 * limit of bytes in their order.
 */
export class BrokerLoop<P extends FetchTarget, Ask extends FetchAsk<P>> {
  readonly broker: BrokerNode
  readonly #options: BrokerLoopOptions<P, Ask>
  readonly #partitions = new Set<P>()
  readonly #signal: Signal
  /** When caught-up partitions are asked for again; monotonic. */
  #caughtUpDueMs = -Infinity
  #stopped = false
  readonly #stopping = new AbortController()
  #fetches = 0

  constructor(options: BrokerLoopOptions<P, Ask>) {
    this.broker = options.broker
    this.#options = options
    this.#signal = new Signal(options.clock)
    this.#run().catch((error: unknown) => options.onFailed(this, error as Error))
  }

  get partitions(): ReadonlySet<P> {
    return this.#partitions
  }

  isAt({ host, port }: BrokerNode): boolean {
    return this.broker.host === host && this.broker.port === port
  }

  leads(partition: P, broker: BrokerNode): boolean {
    return this.isAt(broker) && this.#partitions.has(partition)
  }

  add(partition: P): void {
    this.#partitions.add(partition)
    this.#signal.notify()
  }

  remove(partition: P): boolean {
    return this.#partitions.delete(partition)
  }

  /** Something may be fetched that could not be before. */
  wake(): void {
    this.#signal.notify()
  }

  /** Sends nothing more; what a request under way brings is refunded. */
  stop(): void {
    this.#stopped = true
    this.#stopping.abort()
    this.#signal.notify()
  }

  inspect(): FetchedBroker {
    return { broker: this.broker.id, partitions: this.#partitions.size, fetches: this.#fetches }
  }

  async #run(): Promise<void> {
    await Promise.resolve()
    await turnBetween(this.#partitions.size)
    while (!this.#stopped) {
      const plan = this.#plan()
      if (plan.asks.length === 0) {
        await this.#signal.wait(plan.againInMs)
        await turnBetween(this.#partitions.size)
        continue
      }
      const throttleMs = await this.#fetch(plan)
      if (throttleMs > 0 && !this.#stopped) await this.#throttled(throttleMs)
    }
  }

  async #throttled(throttleMs: number): Promise<void> {
    // Rejects when it is stopped, which the loop sees.
    await this.#options.clock.sleep(throttleMs, this.#stopping.signal).catch(() => {})
  }

  #plan(): TimedPlan<P, Ask> {
    const { intake, clock, settings } = this.#options
    const dueInMs = Math.ceil(this.#caughtUpDueMs - clock.monotonicMs())
    if (dueInMs > 0) {
      const plan = intake.plan(this.#partitions, true)
      const longestMs = plan.waiting ? Math.min(WAITING_POLL_MS, dueInMs) : dueInMs
      if (plan.asks.length > 0 || plan.waiting)
        return { ...plan, maxWaitMs: Math.min(longestMs, settings.fetchMaxWaitMs), againInMs: dueInMs }
    }
    const plan = intake.plan(this.#partitions, false)
    this.#caughtUpDueMs = this.#nextCaughtUpDueMs(plan.waiting)
    // What waits for room is to be asked for as soon as there is: nothing else is waited for.
    return { ...plan, maxWaitMs: plan.waiting ? 0 : settings.fetchMaxWaitMs, againInMs: Infinity }
  }

  #nextCaughtUpDueMs(waiting: boolean): number {
    let caughtUp = 0
    for (const partition of this.#partitions) if (partition.wantsFetch && partition.isCaughtUp) caughtUp++
    if (caughtUp === 0) return -Infinity
    const everyMs = Math.min(caughtUp * CAUGHT_UP_MS_EACH, CAUGHT_UP_LONGEST_MS)
    return this.#options.clock.monotonicMs() + (waiting ? Math.max(WAITING_POLL_MS, everyMs) : everyMs)
  }

  /** What brought records goes to the end of the line, so that each comes first in its turn. */
  #toTheEnd(partition: P): void {
    this.#partitions.delete(partition)
    this.#partitions.add(partition)
  }

  /** Returns for how long the broker wants to be left alone. */
  async #fetch({ maxWaitMs, ...plan }: TimedPlan<P, Ask>): Promise<number> {
    const { cluster, clock, settings, onSilent, onFailed } = this.#options
    const offsets = plan.asks.map(({ partition }) => partition.position)
    const tellSilence = (): void => {
      if (this.#stopped) return
      // Again and again, since the election of another leader takes its time.
      silence = clock.setTimeout(tellSilence, SILENT_AFTER_MS)
      onSilent(this)
    }
    let silence = clock.setTimeout(tellSilence, maxWaitMs + SILENT_AFTER_MS)
    this.#fetches++
    let answer: FetchResponse
    try {
      answer = await cluster.driver.fetch(this.broker, {
        isolation: settings.isolation,
        maxWaitMs,
        minBytes: 1,
        rackId: this.#options.rackId(),
        maxBytes: Math.min(plan.maxBytes ?? plan.asks.reduce((sum, { bytes }) => sum + bytes, 0), MAX_INT32),
        partitions: plan.asks.map(({ partition, bytes }) => ({
          topicId: partition.topicId,
          partition: partition.partition,
          fetchOffset: partition.position,
          maxBytes: bytes,
          currentLeaderEpoch: cluster.leaderEpoch(partition.topicName, partition.partition),
          lastFetchedEpoch: partition.lastEpoch,
        })),
      })
    } catch (error) {
      for (const ask of plan.asks) this.#options.intake.settle(ask, 0, 0)
      onFailed(this, error as Error)
      return 0
    } finally {
      silence.cancel()
    }
    await turnBetween(plan.asks.length)
    this.#hand(plan.asks, offsets, answer)
    await turnBetween(plan.asks.length)
    return answer.throttleMs
  }

  #hand(asks: readonly Ask[], offsets: readonly number[], { partitions }: FetchResponse): void {
    const answerFor = inOrder(partitions)
    asks.forEach((ask, index) => {
      const { partition } = ask
      const fetched = answerFor(partition)
      // Meanwhile it may have been given back, led away or moved to another offset.
      const isCurrent = !this.#stopped && this.#partitions.has(partition) && partition.position === offsets[index]
      if (fetched === undefined || !isCurrent || !partition.takesAnswer) this.#options.intake.settle(ask, 0, 0)
      else {
        if (fetched.records !== null && fetched.records.length > 0) this.#toTheEnd(partition)
        this.#options.onFetched(ask, fetched)
      }
    })
  }
}

/** Finds the answer for a partition: most often the next one, since a broker answers in the order of the request. */
function inOrder(answers: readonly FetchedPartition[]): (partition: Routed) => FetchedPartition | undefined {
  let next = 0
  let byPlace: Map<string, FetchedPartition> | undefined
  return ({ topicId, partition }) => {
    const answer = answers[next]
    if (answer !== undefined && answer.partition === partition && answer.topicId === topicId) {
      next++
      return answer
    }
    byPlace ??= new Map(answers.map((one) => [`${one.topicId}/${one.partition}`, one]))
    return byPlace.get(`${topicId}/${partition}`)
  }
}
