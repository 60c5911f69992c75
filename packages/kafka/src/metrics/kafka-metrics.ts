import { ConfigError, systemClock } from '@sluice/flow'
import type { Clock } from '@sluice/flow'
import type { Consumer } from '../consumer/consumer.ts'
import type { Producer } from '../producer/producer.ts'
import { catalogue } from './catalogue.ts'
import type { MetricName } from './catalogue.ts'
import { ConsumerReadings } from './consumer-readings.ts'
import { ProducerReadings } from './producer-readings.ts'
import type { Readings, Sample } from './sample.ts'

/** What is needed of a registry of `prom-client`. */
export interface MetricRegistry {
  /** Adds a metric, as `prom-client` does. */
  registerMetric(metric: never): void
}

/** A metric as such a registry reads it. */
interface RegisteredMetric {
  readonly name: MetricName
  readonly help: string
  readonly type: string
  get(): Promise<unknown>
  reset(): void
}

interface Processed {
  readonly topic: string
  readonly eventType: string
  readonly count: () => number
}

interface Client {
  readonly source: { inspect(): { readonly state: string } }
  readonly readings: Readings
}

/**
 * The metrics of producers and consumers in a registry of `prom-client`. Everything is counted in plain fields and read
 * when somebody asks. Labels come from the code that registers: names of topics that it writes to, of clients, of types.
 */
export class KafkaMetrics {
  readonly #clock: Clock
  readonly #clients = new Map<string, Client>()
  readonly #processed: Processed[] = []

  /** Registers all of them; a registry can have only one of these. */
  constructor(registry: MetricRegistry, { clock = systemClock }: { readonly clock?: Clock } = {}) {
    this.#clock = clock
    const register = registry.registerMetric.bind(registry) as (metric: RegisteredMetric) => void
    for (const name of Object.keys(catalogue) as MetricName[]) register(this.#metric(name))
  }

  /** @throws ConfigError where another one that is open has the name */
  producer(client: string, producer: Pick<Producer, 'inspect'>): void {
    this.#add(client, { source: producer, readings: new ProducerReadings(client, producer, this.#clock) })
  }

  /** @throws ConfigError where another one that is open has the name */
  consumer(client: string, consumer: Pick<Consumer, 'inspect'>): void {
    this.#add(client, { source: consumer, readings: new ConsumerReadings(client, consumer, this.#clock) })
  }

  /** `kafka_messages_processed_total`: `count` gives how many records of this type an application has processed. */
  processed(topic: string, eventType: string, count: () => number): void {
    this.#processed.push({ topic, eventType, count })
  }

  #add(name: string, client: Client): void {
    const other = this.#clients.get(name)
    if (other && other.source.inspect().state !== 'closed') throw new ConfigError('client', name, 'a name of its own')
    this.#clients.set(name, client)
  }

  #metric(name: MetricName): RegisteredMetric {
    const { help, type } = catalogue[name]
    const get = async (): Promise<unknown> => ({ name, help, type, aggregator: 'sum', values: this.#samples(name) })
    return { name, help, type, get, reset: () => {} }
  }

  /** Those of several clients that agree in all labels are one. */
  #samples(name: MetricName): Sample[] {
    const sums = new Map<string, Sample>()
    for (const sample of this.#all(name)) {
      const key = JSON.stringify([sample.metricName, sample.labels])
      const sum = sums.get(key)
      sums.set(key, sum ? { ...sum, value: sum.value + sample.value } : sample)
    }
    return [...sums.values()]
  }

  *#all(name: MetricName): Iterable<Sample> {
    if (name === 'kafka_messages_processed_total') {
      for (const { topic, eventType, count } of this.#processed) {
        yield { value: count(), labels: { topic, event_type: eventType } }
      }
    }
    for (const { readings } of this.#clients.values()) yield* readings[name]?.() ?? []
  }
}
