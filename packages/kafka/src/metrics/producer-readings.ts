import type { Clock } from '@sluice/flow'
import type { ProducerState } from '../producer/producer-state.ts'
import { sendDurationBoundsMs } from '../producer/send/send-stats.ts'
import type { TopicSendStats } from '../producer/send/send-stats.ts'
import type { Readings, Sample } from './sample.ts'
import { WindowedRate } from './windowed-rate.ts'

const breakerStates = ['closed', 'open', 'half-open'] as const

/** A producer's metrics, read off its `inspect()`. */
export class ProducerReadings implements Readings {
  readonly #labels: { readonly client: string }
  readonly #producer: { inspect(): ProducerState }
  readonly #clock: Clock
  readonly #sendRate: WindowedRate
  readonly #errorRate: WindowedRate

  constructor(client: string, producer: { inspect(): ProducerState }, clock: Clock) {
    this.#labels = { client }
    this.#producer = producer
    this.#clock = clock
    const nowMs = clock.monotonicMs()
    const { delivered, failed } = this.#totals()
    this.#sendRate = new WindowedRate(nowMs, delivered)
    this.#errorRate = new WindowedRate(nowMs, failed)
  }

  kafka_messages_sent_total(): Sample[] {
    return this.#topics(({ topic, sent }) => [{ value: sent, labels: { topic } }])
  }

  kafka_send_duration_seconds(): Sample[] {
    return this.#topics(histogram)
  }

  kafka_producer_record_send_rate(): Sample[] {
    return this.#one(this.#sendRate.read(this.#clock.monotonicMs(), this.#totals().delivered))
  }

  kafka_producer_record_error_rate(): Sample[] {
    return this.#one(this.#errorRate.read(this.#clock.monotonicMs(), this.#totals().failed))
  }

  kafka_producer_batch_size_avg(): Sample[] {
    const { batches, batchBytes } = this.#producer.inspect().sent
    return batches === 0 ? [] : this.#one(batchBytes / batches)
  }

  sluice_producer_queue_records(): Sample[] {
    return this.#one(this.#producer.inspect().queue.records)
  }

  sluice_producer_queue_bytes(): Sample[] {
    return this.#one(this.#producer.inspect().queue.bytes)
  }

  sluice_producer_queue_usage_ratio(): Sample[] {
    return this.#one(this.#producer.inspect().queue.usage)
  }

  sluice_producer_queue_waiting(): Sample[] {
    return this.#one(this.#producer.inspect().queue.waiting)
  }

  sluice_producer_queue_throttled(): Sample[] {
    return this.#one(Number(this.#producer.inspect().queue.throttled))
  }

  sluice_producer_shed_total(): Sample[] {
    const shed = Object.entries(this.#producer.inspect().shed)
    return shed.map(([reason, value]) => ({ value, labels: { ...this.#labels, reason } }))
  }

  sluice_producer_failed_total(): Sample[] {
    return this.#topics(({ topic, failed }) => [{ value: failed, labels: { topic } }])
  }

  sluice_producer_dead_letters_total(): Sample[] {
    const { written = 0, spooled = 0, lost = 0 } = this.#producer.inspect().deadLetters ?? {}
    const places = { topic: written, spool: spooled, nowhere: lost }
    return Object.entries(places).map(([place, value]) => ({ value, labels: { ...this.#labels, place } }))
  }

  sluice_producer_breaker_state(): Sample[] {
    const { state } = this.#producer.inspect().breaker
    return breakerStates.map((one) => ({ value: Number(one === state), labels: { ...this.#labels, state: one } }))
  }

  #one(value: number): Sample[] {
    return [{ value, labels: this.#labels }]
  }

  #topics(samplesOf: (stats: TopicSendStats) => Sample[]): Sample[] {
    return this.#producer.inspect().sent.topics.flatMap(samplesOf)
  }

  #totals(): { readonly delivered: number; readonly failed: number } {
    const { delivered, refused, unknown } = this.#producer.inspect().records
    return { delivered, failed: refused + unknown }
  }
}

/** Cumulative, as Prometheus wants it. */
function histogram({ topic, sent, durationMsSum, durations }: TopicSendStats): Sample[] {
  const name = 'kafka_send_duration_seconds'
  let below = 0
  const buckets = durations.map((count, place): Sample => {
    below += count
    const boundMs = sendDurationBoundsMs[place]
    const le = boundMs === undefined ? '+Inf' : boundMs / 1_000
    return { value: below, labels: { topic, le }, metricName: `${name}_bucket` }
  })
  return [
    ...buckets,
    { value: durationMsSum / 1_000, labels: { topic }, metricName: `${name}_sum` },
    { value: sent, labels: { topic }, metricName: `${name}_count` },
  ]
}
