import type { Clock, Timer } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import type { Cluster } from '../../cluster/cluster.ts'
import type { TopicMetadata } from '../../driver/driver.ts'
import type { TopicPattern } from '../../record/topic.ts'
import type { ConsumerEvents } from '../events.ts'
import type { ConsumerSettings } from '../options.ts'
import type { AnyTopic } from '../../record/sources.ts'

export interface SubscriptionOptions {
  readonly cluster: Cluster
  readonly settings: ConsumerSettings
  readonly clock: Clock
  readonly events: Emitter<ConsumerEvents>
  /** Topics came into being that a pattern matches, or went. */
  readonly onChanged: (added: readonly string[]) => void
}

/** A broker that has only just started may not know of a topic yet: one miss says nothing. */
const missesToVanish = 2

/**
 * The topics of a consumer: those that it names, and those that its patterns find among all there are, looked for at the
 * start and then every `patternRefreshMs`.
 */
export class Subscription {
  readonly #options: SubscriptionOptions
  readonly #topics: Map<string, AnyTopic>
  /** Of topics that a pattern has found: how often in a row they were not there. */
  readonly #misses = new Map<string, number>()
  #timer: Timer | undefined
  #stopped = false

  constructor(options: SubscriptionOptions) {
    this.#options = options
    this.#topics = new Map(options.settings.topics)
  }

  get names(): readonly string[] {
    return [...this.#topics.keys()]
  }

  topic(name: string): AnyTopic | undefined {
    return this.#topics.get(name)
  }

  /** Finds what there is now. @throws what keeps the cluster from being asked */
  async look(): Promise<void> {
    if (this.#options.settings.patterns.length === 0) return
    await this.#look()
    await this.#options.cluster.refresh(this.names)
  }

  /** Goes on looking. */
  start(): void {
    if (this.#options.settings.patterns.length > 0) this.#lookLater()
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.cancel()
  }

  #lookLater(): void {
    if (this.#stopped) return
    const { clock, settings } = this.#options
    this.#timer = clock.setTimeout(() => void this.#lookAgain(), settings.patternRefreshMs)
  }

  async #lookAgain(): Promise<void> {
    const { events, onChanged } = this.#options
    try {
      const before = this.#topics.size
      const added = await this.#look()
      const hasChanged = added.length > 0 || this.#topics.size !== before
      if (hasChanged && !this.#stopped) onChanged(added)
    } catch (error) {
      events.emit('error', { during: 'metadata', error })
    }
    this.#lookLater()
  }

  /** Returns the names of those that are new. */
  async #look(): Promise<string[]> {
    const { topics } = await this.#options.cluster.driver.metadata(null)
    const there = new Set<string>()
    const added: string[] = []
    for (const { name, ...found } of topics) {
      if (this.#misses.has(name)) there.add(name)
      else if (!this.#topics.has(name) && isForPatterns({ name, ...found })) {
        const pattern = this.#options.settings.patterns.find((one) => one.pattern.test(name))
        if (pattern === undefined) continue
        this.#topics.set(name, topicOf(name, pattern))
        this.#misses.set(name, 0)
        there.add(name)
        added.push(name)
      }
    }
    this.#dropVanished(there)
    return added
  }

  #dropVanished(there: ReadonlySet<string>): void {
    for (const [name, misses] of this.#misses) {
      if (there.has(name)) this.#misses.set(name, 0)
      else if (misses + 1 < missesToVanish) this.#misses.set(name, misses + 1)
      else {
        this.#misses.delete(name)
        this.#topics.delete(name)
      }
    }
  }
}

/** Dead letters, retries and what belongs to Kafka itself have to be named. */
function isForPatterns({ name, internal, errorCode }: TopicMetadata): boolean {
  const isAside = name.endsWith('.dlq') || name.endsWith('.retry')
  return errorCode === 0 && !internal && !name.startsWith('__') && !isAside
}

function topicOf(name: string, { key, value }: TopicPattern<unknown, unknown>): AnyTopic {
  return Object.freeze({ name, key, value })
}
