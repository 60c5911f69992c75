import { SluiceError } from '@sluice/flow'
import type { ProducerIdentity } from '../driver/driver.ts'
import { newBackoff } from './options.ts'
import type { ProducerConfig } from './options.ts'
import type { ProducerCluster } from './producer-cluster.ts'

/** Gets producer ids from the cluster. */
export class ProducerIds {
  readonly #cluster: ProducerCluster
  readonly #config: ProducerConfig
  #current: ProducerIdentity | undefined
  #pending: Promise<ProducerIdentity> | undefined

  constructor(cluster: ProducerCluster, config: ProducerConfig) {
    this.#cluster = cluster
    this.#config = config
  }

  get current(): ProducerIdentity | undefined {
    return this.#current
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
        return await this.#cluster.driver.initProducerId(broker, { transactionalId: null, transactionTimeoutMs: 0 })
      } catch (error) {
        const isTransient = error instanceof SluiceError && error.retriable
        if (!isTransient || clock.monotonicMs() >= deadlineMs) throw error
      }
      await clock.sleep(backoff.nextMs(), signal)
    }
  }
}
