import { SluiceError, type Clock, type Timer } from '@sluice/flow'
import { BrokerError, ConnectionError } from '../errors.ts'
import type { Address } from './connect-options.ts'

/** How long one broker may be silent before the next is asked as well, at most. */
export const hedgeMs = 1_000

/** Less where little time is given to connect: some of it has to be left for the next brokers. */
export function hedgeFor(connectTimeoutMs: number): number {
  return Math.min(hedgeMs, Math.ceil(connectTimeoutMs / 3))
}

/**
 * Asks brokers until one answers. A silent one (frozen, or behind a dead network) costs a second, not its timeout,
 * and is asked last from then on; a bootstrap address is resolved anew each time, so a cluster that moved is found.
 */
export class AnyBroker {
  readonly #bootstrap: readonly Address[]
  readonly #clock: Clock
  readonly #hedgeMs: number
  readonly #suspects = new Set<string>()
  #known: readonly Address[] = []

  constructor(bootstrap: readonly Address[], clock: Clock, hedge = hedgeMs) {
    this.#bootstrap = bootstrap
    this.#clock = clock
    this.#hedgeMs = hedge
  }

  know(brokers: readonly Address[]): void {
    if (brokers.length === 0) return
    this.#known = brokers
    const names = new Set([...brokers, ...this.#bootstrap].map(nameOf))
    for (const suspect of this.#suspects) if (!names.has(suspect)) this.#suspects.delete(suspect)
  }

  /** @throws the broker's own `BrokerError`; else what was wrong with all of them. */
  ask<Answer>(question: (broker: Address) => Promise<Answer>): Promise<Answer> {
    const candidates = this.#candidates()
    return new Promise((resolve, reject) => {
      const failures: Error[] = []
      let asked = 0
      let isSettled = false
      let hedge: Timer | undefined
      const settle = (tell: () => void): void => {
        isSettled = true
        hedge?.cancel()
        tell()
      }
      const askNext = (): void => {
        hedge?.cancel()
        const broker = candidates[asked]
        if (!broker || isSettled) return
        asked++
        const name = nameOf(broker)
        hedge = this.#clock.setTimeout(() => {
          this.#suspects.add(name)
          askNext()
        }, this.#hedgeMs)
        question(broker).then(
          (answer) => {
            this.#suspects.delete(name)
            settle(() => resolve(answer))
          },
          (error: unknown) => {
            failures.push(error as Error)
            if (error instanceof BrokerError) return settle(() => reject(error))
            this.#suspects.add(name)
            if (failures.length === candidates.length) settle(() => reject(summary(failures)))
            else askNext()
          },
        )
      }
      askNext()
    })
  }

  /** Known brokers before bootstrap addresses, trusted before suspect, else in random order. */
  #candidates(): readonly Address[] {
    const all = new Map([...shuffled(this.#known), ...shuffled(this.#bootstrap)].map((node) => [nameOf(node), node]))
    const rank = (name: string): number => (this.#suspects.has(name) ? 1 : 0)
    return [...all].sort(([a], [b]) => rank(a) - rank(b)).map(([, node]) => node)
  }
}

/** What can be mended by the user comes first: wrong credentials before an unreachable host. */
function summary(failures: readonly Error[]): Error {
  const telling = failures.find((error) => error instanceof SluiceError && !error.retriable)
  if (telling) return telling
  const first = failures[0]
  if (failures.length === 1 && first) return first
  const addresses = failures.map((error) => (error instanceof ConnectionError ? error.address : '?')).join(', ')
  const texts = failures.map((error) => error.message).join('; ')
  const advertised = failures.every((error) => error instanceof ConnectionError && error.advertised)
  return new ConnectionError(addresses, `no broker can be reached: ${texts}`, first, { advertised })
}

function nameOf({ host, port }: Address): string {
  return `${host}:${port}`
}

function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items]
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1))
    const swapped = result[i] as T
    result[i] = result[j] as T
    result[j] = swapped
  }
  return result
}
