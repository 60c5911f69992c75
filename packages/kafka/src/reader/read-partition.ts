import type { Damage } from '../batch/committed.ts'
import { layout, lengthOverhead } from '../batch/layout.ts'
import { MAX_ASK_BYTES, MAX_CUTS } from '../fetch/ask-limits.ts'
import type { FetchTarget } from '../fetch/broker-loop.ts'
import type { AnyTopic } from '../record/sources.ts'
import { CorruptBatchError } from '../errors.ts'

/** One partition that is read, and how far. */
export class ReadPartition<T extends AnyTopic = AnyTopic> implements FetchTarget {
  readonly topic: T
  readonly topicId: string
  readonly partition: number
  /** Where reading ends; `Infinity`: never. */
  readonly end: number
  /** Where the next fetch starts. */
  position: number
  /** The next offset to give out. */
  delivered: number
  lastEpoch = -1
  /** Changes when it is moved: what was fetched before is of no use any more. */
  generation = 0
  /** Where the last answer held bytes that are no batch; -1: nowhere. */
  #damagedAt = -1
  /** Answers since the last one that held a whole batch. */
  cutInARow = 0
  /** A batch with a bad checksum that was asked for again; -1: none. */
  refetched = -1
  /** Its position is being looked for anew. */
  isSeeking = false
  /** How much one fetch asks for: as much as the largest batch seen needs. */
  fetchBytes = FIRST_FETCH_BYTES

  constructor(topic: T, topicId: string, place: { partition: number; position: number; end: number }) {
    this.topic = topic
    this.topicId = topicId
    this.partition = place.partition
    this.position = place.position
    this.delivered = place.position
    this.end = place.end
  }

  get topicName(): string {
    return this.topic.name
  }

  /** Not looked at: a reader rarely has hundreds of partitions of which only some have records. */
  get isCaughtUp(): boolean {
    return false
  }

  get wantsFetch(): boolean {
    return !this.isSeeking && this.position < this.end
  }

  get takesAnswer(): boolean {
    return !this.isSeeking
  }

  /** Goes on elsewhere: what was fetched of the former log is passed over. */
  moveTo(offset: number): void {
    this.position = offset
    this.delivered = offset
    this.lastEpoch = -1
    this.generation++
  }

  /** Everything before `offset` was given out, as far as it is to be read. */
  deliveredTo(offset: number): void {
    this.delivered = Math.max(this.delivered, Math.min(offset, this.end))
  }

  /** Bytes that are no batch may have been spoilt on their way. Returns them when they come for the second time. */
  noteDamage(damage: Damage): Damage | undefined {
    const isSecond = this.#damagedAt === damage.offset
    this.#damagedAt = isSecond ? -1 : damage.offset
    return isSecond ? damage : undefined
  }

  /** Not even one batch fitted: the next time ask for as much as its header says. Returns one that stays cut. */
  noteCut(records: Buffer): Damage | undefined {
    const { position } = this
    if (++this.cutInARow > MAX_CUTS) {
      const error = new CorruptBatchError(position, `it is cut off in ${this.cutInARow} answers in a row`)
      this.cutInARow = 0
      this.fetchBytes = FIRST_FETCH_BYTES
      return { offset: position, endOffset: position + 1, error }
    }
    const length = records.length >= lengthOverhead ? lengthOverhead + records.readInt32BE(layout.length) : 0
    this.fetchBytes = Math.min(Math.max(length, this.fetchBytes * 2), MAX_ASK_BYTES)
    return undefined
  }
}

const FIRST_FETCH_BYTES = 1_048_576
