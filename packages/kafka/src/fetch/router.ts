import type { Clock } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import type { BrokerNode } from '../driver/driver.ts'
import { Signal } from '../async/wakeup.ts'

export interface RouterOptions<P extends Routed> {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly onLeader: (partition: P, leader: BrokerNode) => void
  /** The cluster could not be asked; it is asked again. */
  readonly onError: (error: unknown) => void
}

export interface Routed {
  readonly topicName: string
  readonly topicId: string
  readonly partition: number
}

const FIRST_WAIT_MS = 20
const LONGEST_WAIT_MS = 1_000

/** Finds the leader of each partition that has none: at once where it is known, else by asking the cluster. */
export class Router<P extends Routed> {
  readonly #options: RouterOptions<P>
  readonly #waiting = new Set<P>()
  /** Times in a row that a partition had to be routed anew. */
  readonly #failures = new Map<P, number>()
  readonly #signal: Signal
  #isRunning = false
  #stopped = false

  constructor(options: RouterOptions<P>) {
    this.#options = options
    this.#signal = new Signal(options.clock)
  }

  /** Partitions without a leader. */
  get waiting(): number {
    return this.#waiting.size
  }

  route(partition: P): void {
    if (!this.#toKnownLeader(partition)) this.#wait(partition)
  }

  /** What was known of its leader has failed. A hint in the answer may have named the new one. */
  reroute(partition: P): void {
    const failures = (this.#failures.get(partition) ?? 0) + 1
    this.#failures.set(partition, failures)
    this.#wait(partition)
  }

  succeeded(partition: P): void {
    if (this.#failures.size > 0) this.#failures.delete(partition)
  }

  forget(partition: P): void {
    this.#waiting.delete(partition)
    this.#failures.delete(partition)
  }

  stop(): void {
    this.#stopped = true
    this.#waiting.clear()
    this.#signal.notify()
  }

  #wait(partition: P): void {
    if (this.#stopped) return
    this.#waiting.add(partition)
    if (!this.#isRunning) void this.#run()
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.size > 0) {
      await this.#signal.wait(this.#waitMs())
      if (this.#waiting.size > 0) await this.#refresh()
      for (const partition of this.#waiting) {
        if (this.#toKnownLeader(partition)) this.#waiting.delete(partition)
        else this.#failures.set(partition, (this.#failures.get(partition) ?? 0) + 1)
      }
    }
    this.#isRunning = false
  }

  /** By the one that has failed least. */
  #waitMs(): number {
    let fewest = Infinity
    for (const partition of this.#waiting) fewest = Math.min(fewest, this.#failures.get(partition) ?? 0)
    return fewest === 0 ? 0 : Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(fewest - 1, 10))
  }

  async #refresh(): Promise<void> {
    const names = new Set<string>()
    for (const { topicName } of this.#waiting) names.add(topicName)
    try {
      await this.#options.cluster.refresh([...names])
    } catch (error) {
      this.#options.onError(error)
    }
  }

  #toKnownLeader(partition: P): boolean {
    const { cluster, onLeader } = this.#options
    const { topicName, topicId, partition: number } = partition
    // A topic that was created again has other partitions; ours wait here to be taken away by the group.
    if (cluster.topic(topicName)?.id !== topicId) return false
    const leader = cluster.leader(topicName, number)
    if (leader === undefined) return false
    onLeader(partition, leader)
    return true
  }
}
