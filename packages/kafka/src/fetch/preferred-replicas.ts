import type { Clock } from '@sluice/flow'
import type { Cluster } from '../cluster/cluster.ts'
import type { BrokerNode } from '../driver/driver.ts'

/** After a follower has failed, leaders do not get the rack for this long, or they would name the same follower again. */
const AVOIDED_MS = 15_000

interface Preferred {
  readonly broker: number
  readonly untilMs: number
}

/**
 * Which partitions are fetched from a follower that is nearer than their leader (KIP-392): the leader names it, and it
 * is kept for `metadataMaxAgeMs`, or until it fails.
 */
export class PreferredReplicas<P extends object> {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #rackId: string
  readonly #preferred = new Map<P, Preferred>()
  #avoidedUntilMs = -Infinity

  /** `rackId` null: leaders alone. */
  constructor(cluster: Cluster, clock: Clock, rackId: string | null) {
    this.#cluster = cluster
    this.#clock = clock
    this.#rackId = rackId ?? ''
  }

  /** For the next fetch. Empty: the leader names no follower. */
  get rackId(): string {
    return this.#clock.monotonicMs() < this.#avoidedUntilMs ? '' : this.#rackId
  }

  /** The leader has named this follower. Undefined: its address is not known, and the leader is to be kept. */
  prefer(partition: P, broker: number): BrokerNode | undefined {
    const node = this.#cluster.broker(broker)
    const untilMs = this.#clock.monotonicMs() + this.#cluster.metadataMaxAgeMs
    if (node === undefined) this.failed(partition)
    else this.#preferred.set(partition, { broker, untilMs })
    return node
  }

  /** Whether this broker is fetched from because it is nearer than the leader. */
  isPreferred(partition: P, { id }: BrokerNode): boolean {
    return this.#preferred.get(partition)?.broker === id
  }

  /** Whether the leader should be asked again which replica is the nearest. */
  isOutdated(partition: P): boolean {
    const preferred = this.#preferred.get(partition)
    return preferred !== undefined && preferred.untilMs <= this.#clock.monotonicMs()
  }

  /** The follower cannot be fetched from. */
  failed(partition: P): void {
    this.#preferred.delete(partition)
    this.#avoidedUntilMs = this.#clock.monotonicMs() + AVOIDED_MS
  }

  forget(partition: P): void {
    this.#preferred.delete(partition)
  }
}
