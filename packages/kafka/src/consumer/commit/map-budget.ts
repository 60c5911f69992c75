import { encodeOffsetMap } from './offset-map.ts'
import { maxOriginLength } from '../assignment/origin.ts'
import type { PartitionLog } from '../intake/partition-log.ts'

/** What a broker allows by default (offset.metadata.max.bytes). */
const defaultMaxLength = 4_096 - maxOriginLength
/** Beside a bit an offset: the map's head and its topic id, generously. */
const fixedLength = 128
/** What one more finished record can add to a map, as base64: it parts a run, or breaks a repetition. */
const worstGrowth = 12

/**
 * Keeps the offset map of one partition short enough to be committed: a record is taken only if the map fits whatever
 * is finished first, of what is out and this one. A map is never cut: that would be to handle records again.
 */
export class MapBudget {
  #maxLength = defaultMaxLength
  /** Records that may be taken before the map is measured again. */
  #granted = 0

  get maxLength(): number {
    return this.#maxLength
  }

  /** Whether one more record may be taken beside `out` that are not finished. */
  allows(log: PartitionLog, topicId: string, out: number): boolean {
    const { tracker } = log
    // A bit for each offset always does.
    if (fixedLength + tracker.span / 6 < this.#maxLength) return true
    if (out === 0) return true
    if (this.#granted === 0) {
      const ranges = tracker.rangesAhead()
      const { length } = encodeOffsetMap({ base: tracker.position, topicId, leaderEpoch: log.epoch, ranges })
      this.#granted = Math.max(0, Math.floor((this.#maxLength - length) / worstGrowth) - out)
    }
    if (this.#granted === 0) return false
    this.#granted--
    return true
  }

  /** Whether the unfinished head of the partition should hurry, so that it does not come to a stop. */
  isHalfFull({ tracker }: PartitionLog): boolean {
    return fixedLength + tracker.span / 6 > this.#maxLength / 2
  }

  /** The broker allows less than metadata of this length; it may be told the same more than once. */
  refused(length: number): void {
    this.#maxLength = Math.min(this.#maxLength, Math.floor(length / 2))
    this.#granted = 0
  }

  /** Whether metadata of this length may be committed, for all that is known. */
  fits(metadataLength: number): boolean {
    return metadataLength <= this.#maxLength + maxOriginLength
  }
}
