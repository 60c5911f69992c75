import type { FetchTarget } from '../consumer/broker-loop.ts'
import type { AnyTopic } from '../consumer/options.ts'

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
  }
}

const FIRST_FETCH_BYTES = 1_048_576
