import type { MetricName } from './catalogue.ts'

export interface Sample {
  readonly value: number
  readonly labels: Readonly<Record<string, string | number>>
  /** Of a part of a histogram. */
  readonly metricName?: string
}

/** What one client has to say of each metric. */
export type Readings = { readonly [Name in MetricName]?: () => Iterable<Sample> }
