import type { Clock } from '@sluice/flow'
import type { Consumer } from '../consumer/consumer.ts'
import type { Readings, Sample } from './sample.ts'
import { WindowedRate } from './windowed-rate.ts'

type State = ReturnType<Consumer['inspect']>
type PartitionState = NonNullable<State['partitions']>[number]

/** A consumer's metrics, read off its `inspect()`. */
export class ConsumerReadings implements Readings {
  readonly #client: string
  readonly #consumer: Pick<Consumer, 'inspect'>
  readonly #clock: Clock
  readonly #consumedRate: WindowedRate
  readonly #commitRate: WindowedRate
  /** Where each assignment stood at the reading before; one that has gone by then is not counted to its end. */
  #finishedTo = new Map<number, number>()
  #finished = 0

  constructor(client: string, consumer: Pick<Consumer, 'inspect'>, clock: Clock) {
    this.#client = client
    this.#consumer = consumer
    this.#clock = clock
    const nowMs = clock.monotonicMs()
    const { partitions = [], committer } = consumer.inspect()
    this.#countFinished(partitions)
    this.#consumedRate = new WindowedRate(nowMs, this.#finished)
    this.#commitRate = new WindowedRate(nowMs, committer?.commits ?? 0)
  }

  kafka_consumer_records_consumed_rate(): Sample[] {
    this.#countFinished(this.#consumer.inspect().partitions ?? [])
    return this.#one(this.#consumedRate.read(this.#clock.monotonicMs(), this.#finished))
  }

  kafka_consumer_commit_rate(): Sample[] {
    const commits = this.#consumer.inspect().committer?.commits ?? 0
    return this.#one(this.#commitRate.read(this.#clock.monotonicMs(), commits))
  }

  kafka_consumer_records_lag(): Sample[] {
    const byTopic = new Map<string, number>()
    for (const { topic, lagRecords } of this.#consumer.inspect().partitions ?? []) {
      if (lagRecords !== null) byTopic.set(topic, (byTopic.get(topic) ?? 0) + lagRecords)
    }
    return Array.from(byTopic, ([topic, value]) => ({ value, labels: { client: this.#client, topic } }))
  }

  sluice_consumer_unreadable_total(): Sample[] {
    return (this.#consumer.inspect().unreadable ?? []).map(({ topic, skipped }) => ({
      value: skipped,
      labels: { client: this.#client, topic },
    }))
  }

  sluice_consumer_dead_letters_total(): Sample[] {
    const { written, reduced } = this.#consumer.inspect().deadLetters
    return [
      { value: written - reduced, labels: { client: this.#client, form: 'whole' } },
      { value: reduced, labels: { client: this.#client, form: 'reduced' } },
    ]
  }

  #countFinished(partitions: readonly PartitionState[]): void {
    const finishedTo = new Map<number, number>()
    for (const partition of partitions) {
      if (partition.finishedTo < 0) continue
      const before = this.#finishedTo.get(partition.incarnation) ?? partition.finishedTo
      this.#finished += Math.max(0, partition.finishedTo - before)
      finishedTo.set(partition.incarnation, partition.finishedTo)
    }
    this.#finishedTo = finishedTo
  }

  #one(value: number): Sample[] {
    return [{ value, labels: { client: this.#client } }]
  }
}
