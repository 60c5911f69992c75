import type { Clock } from '@sluice/flow'
import { Admin } from '../admin/admin.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { errorCode } from '../driver/classify.ts'
import type { TopicMetadata } from '../driver/driver.ts'
import { BrokerError } from '../errors.ts'
import { DeadLetterRefusedError } from '../failure/errors.ts'
import type { LetterForm } from './letter-form.ts'

/** What one topic's letters need to know: the name and the size of the topic that they go to. */
export interface LetterTopic {
  readonly name: string
  readonly partitions: number
}

/** Room for the facts of a failure, in bytes. */
const headersRoomBytes = 65_536
const unknownTopic = errorCode('UNKNOWN_TOPIC_OR_PARTITION')
const standardMaxBytes = 1_048_588
const maxBytesConfig = 'max.message.bytes'

/**
 * The `max.message.bytes` of a topic that Sluice makes: room for this many bytes, as an odd number of blocks of 64 KiB
 * and 12 bytes. That is how a topic of ours is known again, and may be given more room: nobody sets such a number by
 * hand, and who sets another one has the limit in their own hands from then on.
 */
export function ownMaxBytes(bytes: number): number {
  const blocks = Math.ceil((bytes - 12) / headersRoomBytes)
  return (blocks % 2 === 1 ? blocks : blocks + 1) * headersRoomBytes + 12
}

/** Whether Sluice has set this `max.message.bytes`. */
export function isOwnMaxBytes(maxBytes: number): boolean {
  return maxBytes > 0 && ownMaxBytes(maxBytes) === maxBytes
}

/** A setting that was changed reaches a partition's leader in so short a time. */
const settlingMs = 10_000
const settlingPauseMs = 250

/** Makes the topics that dead letters or retry copies go to, and gives them more partitions and more room. */
export class LetterTopics {
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #targets = new Map<string, Promise<LetterTopic>>()
  readonly #widenings = new Map<string, Promise<void>>()
  /** When a topic was given more room, monotonic. */
  readonly #roomedAtMs = new Map<string, number>()
  readonly nameOf: (source: string) => string

  constructor(cluster: Cluster, clock: Clock, nameOf: (source: string) => string) {
    this.#cluster = cluster
    this.#clock = clock
    this.nameOf = nameOf
  }

  /** The topic that records of this one go to, made where there is none. @throws what keeps it from being made */
  target(source: string): Promise<LetterTopic> {
    let target = this.#targets.get(source)
    if (target === undefined) {
      target = this.#ensure(source)
      this.#targets.set(source, target)
      // One that failed is looked for again.
      target.catch(() => this.#targets.delete(source))
    }
    return target
  }

  /** It may have been deleted, or made again with other partitions. */
  forget(source: string): void {
    this.#targets.delete(source)
  }

  /** Makes the topic again if the cluster says that it is gone. */
  async remake(source: string): Promise<void> {
    const code = this.#cluster.topic(this.nameOf(source))?.errorCode
    if (code !== unknownTopic) return
    this.forget(source)
    await this.target(source)
  }

  /**
   * As `target`, with at least as many partitions as the source has.
   * @throws what keeps it from being made, or from being given more partitions
   */
  async prepare(source: string): Promise<TopicMetadata> {
    const target = await this.target(source)
    const { name } = target
    const known = this.#cluster.topic(name)
    // It may have been made again, with fewer, since it was looked for.
    const partitions = known?.errorCode === 0 ? known.partitions.length : target.partitions
    const wanted = this.#cluster.topic(source)?.partitions.length ?? 0
    if (partitions < wanted) {
      const widening = this.#widenings.get(source) ?? this.#addPartitions(source, name, wanted)
      this.#widenings.set(source, widening)
      await widening
    }
    return this.#cluster.topic(name)!
  }

  /** As `prepare`; where this client may not add partitions, letters go by their keys. */
  async prepareAsAllowed(source: string): Promise<TopicMetadata> {
    try {
      return await this.prepare(source)
    } catch (error) {
      const known = this.#cluster.topic(this.nameOf(source))
      if (!isRefused(error) || known?.errorCode !== 0) throw error
      return known
    }
  }

  /**
   * Raises `max.message.bytes` of a topic that Sluice made. Resolves when the topic may take the letter.
   * @returns false where it is not ours, may not be changed, or is large enough already
   */
  async makeRoom(source: string, form: LetterForm): Promise<boolean> {
    const { name } = await this.target(source)
    const limit = await this.#ownLimit(source, name)
    if (limit === undefined) return false
    // A topic that compresses in its own way can make more of a record than was sent.
    const needed = form.bytes() > limit ? form.bytes() : form.bytes(true)
    if (needed <= limit) return await this.#isSettling(name)
    const maxBytes = ownMaxBytes(needed + headersRoomBytes)
    try {
      await new Admin(this.#cluster, this.#clock).alterTopic(name, { configs: { [maxBytesConfig]: String(maxBytes) } })
    } catch (error) {
      if (isRefused(error)) return false
      throw error
    }
    this.#roomedAtMs.set(name, this.#clock.monotonicMs())
    await this.#clock.sleep(settlingPauseMs)
    return true
  }

  /** The leader may not know yet of the room that the topic was given. */
  async #isSettling(name: string): Promise<boolean> {
    const ageMs = this.#clock.monotonicMs() - (this.#roomedAtMs.get(name) ?? -Infinity)
    if (ageMs > settlingMs) return false
    await this.#clock.sleep(settlingPauseMs)
    return true
  }

  /** Undefined: somebody else has set it, or it may not be seen. */
  async #ownLimit(source: string, name: string): Promise<number | undefined> {
    const [described] = await this.#cluster.driver.admin.describeTopicConfigs([name])
    const set = Number((described?.errorCode === 0 ? described.ownConfigs[maxBytesConfig] : null) ?? NaN)
    if (isOwnMaxBytes(set)) return set
    // Made by a version of Sluice that did not round.
    return set === (await this.#maxBytesOf(source)) + headersRoomBytes ? set : undefined
  }

  async #addPartitions(source: string, name: string, partitions: number): Promise<void> {
    try {
      await new Admin(this.#cluster, this.#clock).alterTopic(name, { partitions })
    } catch (error) {
      // Another process may have been faster: if the topic is wide enough by now, all is well.
      await this.#cluster.refresh([name])
      if ((this.#cluster.topic(name)?.partitions.length ?? 0) < partitions) throw error
    } finally {
      this.#targets.delete(source)
      this.#widenings.delete(source)
    }
  }

  /** Makes the topic where there is none: as many partitions, and room for the headers. */
  async #ensure(source: string): Promise<LetterTopic> {
    const name = this.nameOf(source)
    await this.#cluster.refresh([name])
    const known = this.#cluster.topic(name)
    if (known?.errorCode === 0) return { name, partitions: known.partitions.length }
    const partitions = await this.#create(source, name)
    return { name, partitions: this.#cluster.topic(name)?.partitions.length ?? partitions }
  }

  async #create(source: string, name: string): Promise<number> {
    const admin = new Admin(this.#cluster, this.#clock)
    const [described] = await admin.describeTopics([source], { configs: false })
    const { partitions } = described!
    const maxBytes = ownMaxBytes((await this.#maxBytesOf(source)) + headersRoomBytes)
    const spec = { name, partitions: partitions.length }
    try {
      await admin.createTopics([{ ...spec, configs: { [maxBytesConfig]: String(maxBytes) } }], { ifNotExists: true })
    } catch (error) {
      if (!isRefused(error)) throw error
      // A policy of the cluster may forbid the setting alone.
      await admin.createTopics([spec], { ifNotExists: true }).catch((cause: unknown) => {
        throw isRefused(cause) ? refusedCreation(source, name, cause) : cause
      })
    }
    return partitions.length
  }

  /** A client that may write need not be allowed to see settings. */
  async #maxBytesOf(source: string): Promise<number> {
    const [described] = await this.#cluster.driver.admin.describeTopicConfigs([source])
    const maxBytes = Number(described?.errorCode === 0 ? described.configs[maxBytesConfig] : NaN)
    return maxBytes > 0 ? maxBytes : standardMaxBytes
  }
}

/** The cluster will not do it, however often it is asked. */
function isRefused(error: unknown): boolean {
  return error instanceof BrokerError && !error.retriable
}

function refusedCreation(source: string, to: string, cause: unknown): DeadLetterRefusedError {
  const advice = `create ${to} by hand, or allow this client to; it is looked for again until then`
  return new DeadLetterRefusedError({ to, topic: source, partition: -1, refusal: 'not_allowed', advice }, cause)
}
