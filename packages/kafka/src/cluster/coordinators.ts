import type { Clock } from '@sluice/flow'
import { Backoff } from '../async/backoff.ts'
import type { BrokerNode, CoordinatorKind, Driver } from '../driver/driver.ts'
import { BrokerError, ClusterTimeoutError } from '../errors.ts'

export interface CoordinatorsOptions {
  readonly driver: Pick<Driver, 'findCoordinator'>
  readonly clock: Clock
  /** How long a coordinator that is being elected or loaded is waited for. */
  readonly timeoutMs: number
}

/** Those asked for longest ago are forgotten beyond this number: a tool may ask for every group there ever was. */
const MOST_KNOWN = 1_000

/** Which broker coordinates which group or transactional id: looked up once, until somebody says that it moved. */
export class Coordinators {
  readonly #options: CoordinatorsOptions
  readonly #known = new Map<string, Promise<BrokerNode>>()

  constructor(options: CoordinatorsOptions) {
    this.#options = options
  }

  /** @throws ClusterTimeoutError, or what the brokers answered where it cannot be mended by waiting. */
  find(kind: CoordinatorKind, key: string): Promise<BrokerNode> {
    const id = idOf(kind, key)
    const known = this.#known.get(id)
    if (known) {
      this.#known.delete(id)
      this.#known.set(id, known)
      return known
    }
    const search = this.#search(kind, key)
    this.#known.set(id, search)
    if (this.#known.size > MOST_KNOWN) this.#known.delete(this.#known.keys().next().value!)
    search.catch(() => {
      if (this.#known.get(id) === search) this.#known.delete(id)
    })
    return search
  }

  forget(kind: CoordinatorKind, key: string): void {
    this.#known.delete(idOf(kind, key))
  }

  async #search(kind: CoordinatorKind, key: string): Promise<BrokerNode> {
    const { driver, clock, timeoutMs } = this.#options
    const deadlineMs = clock.monotonicMs() + timeoutMs
    const backoff = new Backoff(50, 1_000)
    for (;;) {
      try {
        return await driver.findCoordinator(kind, key)
      } catch (error) {
        // A broker that cannot be reached is the caller's to wait for; an election is ours.
        if (!(error instanceof BrokerError) || !error.retriable) throw error
        const waitMs = backoff.nextMs()
        if (clock.monotonicMs() + waitMs > deadlineMs) {
          throw new ClusterTimeoutError(`no broker came to coordinate the ${kind} ${key}`, timeoutMs, error)
        }
        await clock.sleep(waitMs)
      }
    }
  }
}

function idOf(kind: CoordinatorKind, key: string): string {
  return `${kind}:${key}`
}
