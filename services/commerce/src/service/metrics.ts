import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client'

type Labels = Readonly<Record<string, string>>
export type Sample = readonly [value: number, labels?: Labels]

interface Metric {
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
  /** Read when somebody asks for the metrics: counting is done in plain fields, which costs nothing. */
  readonly read: () => Iterable<Sample>
}

/** Publishes what services count for themselves in Prometheus' text format. */
export class Metrics {
  readonly registry = new Registry()

  constructor() {
    collectDefaultMetrics({ register: this.registry })
  }

  /** `read` gives totals since the start. */
  counter({ name, help, labels = [], read }: Metric): void {
    const counter: Counter = new Counter({
      name,
      help,
      labelNames: [...labels],
      registers: [this.registry],
      collect: () => {
        counter.reset()
        for (const [value, of = {}] of read()) counter.inc(of, value)
      },
    })
  }

  gauge({ name, help, labels = [], read }: Metric): void {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers: [this.registry],
      collect: () => {
        gauge.reset()
        for (const [value, of = {}] of read()) gauge.set(of, value)
      },
    })
  }
}
