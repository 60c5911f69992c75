import type { PendingRecord } from '../../outgoing/pending-record.ts'
import type { RecordBatch } from '../queue/record-batch.ts'

/** Upper bounds of the time from acceptance to acknowledgement, in milliseconds; what is above has a place as well. */
export const sendDurationBoundsMs: readonly number[] = [
  5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000,
]

/** What a producer has sent to a topic. */
export interface TopicSendStats {
  readonly topic: string
  /** Records that were acknowledged. */
  readonly sent: number
  /** Records that were given up. */
  readonly failed: number
  /** From acceptance to acknowledgement, over all records that were acknowledged. */
  readonly durationMsSum: number
  /** How many records took so long, a number for each bound and one for what is above the last. */
  readonly durations: readonly number[]
}

/** What a producer has sent. */
export interface SendStatsState {
  /** Batches that were acknowledged. */
  readonly batches: number
  /** As they were sent: compressed. */
  readonly batchBytes: number
  /** By topic. */
  readonly topics: readonly TopicSendStats[]
}

interface Counts extends TopicSendStats {
  sent: number
  failed: number
  durationMsSum: number
  readonly durations: number[]
}

/** What was acknowledged and what failed, by topic: counted a batch at a time, in plain fields. */
export class SendStats {
  readonly #topics = new Map<string, Counts>()
  #batches = 0
  #batchBytes = 0

  delivered(topic: string, { records, encoded }: RecordBatch, nowMs: number): void {
    this.#batches++
    this.#batchBytes += encoded?.length ?? 0
    const counts = this.#of(topic)
    counts.sent += records.length
    // Records of a batch came in bursts, each with one time.
    let acceptedAtMs = -1
    let place = 0
    for (const record of records) {
      if (record.acceptedAtMs !== acceptedAtMs) {
        acceptedAtMs = record.acceptedAtMs
        place = placeOf(nowMs - acceptedAtMs)
      }
      counts.durations[place]!++
      counts.durationMsSum += Math.max(0, nowMs - acceptedAtMs)
    }
  }

  failed(topic: string, records: readonly PendingRecord[]): void {
    this.#of(topic).failed += records.length
  }

  inspect(): SendStatsState {
    const topics = Array.from(this.#topics.values(), (counts) => ({ ...counts, durations: [...counts.durations] }))
    return { batches: this.#batches, batchBytes: this.#batchBytes, topics }
  }

  #of(topic: string): Counts {
    let counts = this.#topics.get(topic)
    if (!counts) {
      const durations = Array.from({ length: sendDurationBoundsMs.length + 1 }, () => 0)
      counts = { topic, sent: 0, failed: 0, durationMsSum: 0, durations }
      this.#topics.set(topic, counts)
    }
    return counts
  }
}

function placeOf(durationMs: number): number {
  const place = sendDurationBoundsMs.findIndex((boundMs) => durationMs <= boundMs)
  return place === -1 ? sendDurationBoundsMs.length : place
}
