import { SluiceError } from '@sluice/flow'
import type { ProducerIdentity } from '../../driver/driver.ts'
import { newBackoff } from '../options.ts'
import type { ProducerConfig } from '../options.ts'
import { PartitionSequence } from '../../outgoing/sequence.ts'
import type { ProducerCluster } from '../producer-cluster.ts'

/** Gets producer ids from the cluster. */
export class ProducerIds {
  readonly #cluster: ProducerCluster
  readonly #config: ProducerConfig
  #current: ProducerIdentity | undefined
  /** Where the current one was given. */
  #clusterId: string | null = null
  #pending: Promise<ProducerIdentity> | undefined

  constructor(cluster: ProducerCluster, config: ProducerConfig) {
    this.#cluster = cluster
    this.#config = config
  }

  get current(): ProducerIdentity | undefined {
    return this.#current
  }

  /** The sequence numbers of a partition that was not written to yet; null: the producer is not idempotent. */
  newSequence(): PartitionSequence | null {
    if (!this.#current) return null
    const sequence = new PartitionSequence(this.#current)
    if (this.isForeign) sequence.retire()
    return sequence
  }

  /** The current id was given by another cluster, where it may be somebody else's. */
  get isForeign(): boolean {
    const { clusterId } = this.#cluster
    return this.#clusterId !== null && clusterId !== null && clusterId !== this.#clusterId
  }

  /** An id that this partition has not written under: the current one, or else a new one. @throws as `renew` */
  async other(than: ProducerIdentity, signal?: AbortSignal): Promise<ProducerIdentity> {
    const current = this.#current
    const isOther = current !== undefined && current.producerId !== than.producerId
    return isOther && !this.isForeign ? current : await this.renew(signal)
  }

  /** A new id, with epoch 0. Calls that overlap get the same one. @throws what the last attempt failed with. */
  async renew(signal?: AbortSignal): Promise<ProducerIdentity> {
    this.#pending ??= this.#request(signal).finally(() => (this.#pending = undefined))
    this.#current = await this.#pending
    return this.#current
  }

  /** Waits for brokers that are not ready yet, for as long as a request may take; not where none can be reached. */
  async #request(signal: AbortSignal | undefined): Promise<ProducerIdentity> {
    const { clock, requestTimeoutMs } = this.#config
    const deadlineMs = clock.monotonicMs() + requestTimeoutMs
    const backoff = newBackoff(this.#config)
    for (;;) {
      const broker = await this.#cluster.anyBroker()
      try {
        const { driver, clusterId } = this.#cluster
        const identity = await driver.initProducerId(broker, { transactionalId: null, transactionTimeoutMs: 0 })
        this.#clusterId = clusterId
        return identity
      } catch (error) {
        const isTransient = error instanceof SluiceError && error.retriable
        if (!isTransient || clock.monotonicMs() >= deadlineMs) throw error
      }
      await clock.sleep(backoff.nextMs(), signal)
    }
  }
}
