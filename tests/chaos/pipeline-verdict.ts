import type { Comparison } from '../system/support/ledger.ts'

/** The ledger of one topic against what each part knows. */
export interface TopicViews {
  /** The topic itself, as Java reads it. */
  readonly topic: Comparison
  /** The table of the service, which has a unique key. */
  readonly table: Comparison
  /** The table without a unique key: how often each record was handled. */
  readonly handled: Comparison
}

export interface PipelineResult {
  readonly orders: TopicViews
  readonly products: TopicViews
  /** How the demo itself ended; 0 says that it found nothing lost. */
  readonly exitCode: number | null
  /** Processes that the demo had to start again, once for each time. */
  readonly restarted: readonly string[]
  /** The process that was killed, if any. */
  readonly killed: string | undefined
}

// What a kill may repeat: what was handled within one commit interval, and what the consumer's gate lets in at once.
const commitIntervalSeconds = 1
const consumerGateRecords = 4_000

/** Says what must not have been. `rate` is in orders a second. Nothing may be lost ever; undisturbed, nothing may be there or be handled twice. */
export function anomaliesOf(result: PipelineResult, rate: number): string[] {
  const anomalies: string[] = []
  const allowedRepeats = result.killed === undefined ? 0 : rate * commitIntervalSeconds + consumerGateRecords
  for (const topic of ['orders', 'products'] as const) {
    const views = result[topic]
    for (const [view, { missing }] of Object.entries<Comparison>({ ...views })) {
      if (missing.length > 0) anomalies.push(`${topic}, ${view}: ${missing.length} missing, such as ${missing[0]}`)
    }
    const { ledger, repeats: written } = views.topic
    const { repeats: handled } = views.handled
    if (ledger === 0) anomalies.push(`${topic}: the ledger is empty`)
    if (written > 0) anomalies.push(`${topic}: ${written} more than once in the topic`)
    if (handled > allowedRepeats) anomalies.push(`${topic}: ${handled} handled again, where ${allowedRepeats} may be`)
  }
  const { restarted, killed } = result
  const unexpected = restarted.filter((name, index) => name !== killed || restarted.indexOf(name) !== index)
  if (unexpected.length > 0) anomalies.push(`${unexpected.join(', ')}: ended without having been killed`)
  if (result.exitCode !== 0) anomalies.push(`the demo ended with ${result.exitCode}`)
  return anomalies
}
