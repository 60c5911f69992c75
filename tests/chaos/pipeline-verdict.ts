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

/** What became of one topic. */
export interface TopicResult extends TopicViews {
  /** Of each record that was handled more than once, when that was done first: wall clock, ms. */
  readonly repeatedFirstAtMs: readonly number[]
}

export interface PipelineResult {
  readonly orders: TopicResult
  readonly products: TopicResult
  /** How the demo itself ended; 0 says that it found nothing lost. */
  readonly exitCode: number | null
  /** Processes that the demo had to start again, once for each time. */
  readonly restarted: readonly string[]
  /** The process that was killed, if any. */
  readonly killed: string | undefined
  /** Wall clock, ms. */
  readonly killedAtMs: number | undefined
}

const commitIntervalMs = 1_000
// A batch that is being written holds back the commit of those after it; what runs in PostgreSQL at the kill still ends.
const slackMs = 1_000

/** Says what must not have been. Nothing may be lost ever; undisturbed, nothing may be there or be handled twice. */
export function anomaliesOf(result: PipelineResult): string[] {
  const anomalies: string[] = []
  for (const topic of ['orders', 'products'] as const) {
    const views = result[topic]
    for (const [view, { missing }] of Object.entries<Comparison>({
      topic: views.topic,
      table: views.table,
      handled: views.handled,
    })) {
      if (missing.length > 0) anomalies.push(`${topic}, ${view}: ${missing.length} missing, such as ${missing[0]}`)
    }
    const { ledger, repeats: written } = views.topic
    if (ledger === 0) anomalies.push(`${topic}: the ledger is empty`)
    if (written > 0) anomalies.push(`${topic}: ${written} more than once in the topic`)
    const unexplained = unexplainedRepeats(views.repeatedFirstAtMs, result)
    if (unexplained > 0) anomalies.push(`${topic}: ${unexplained} handled again that no kill explains`)
  }
  const { restarted, killed } = result
  const unexpected = restarted.filter((name, index) => name !== killed || restarted.indexOf(name) !== index)
  if (unexpected.length > 0) anomalies.push(`${unexpected.join(', ')}: ended without having been killed`)
  if (result.exitCode !== 0) anomalies.push(`the demo ended with ${result.exitCode}`)
  return anomalies
}

/**
 * A kill of the consumer repeats what it had handled and not committed: within one commit interval before the kill. While
 * a broker is away nothing can be committed, so what is handled meanwhile may be repeated as well. A kill of the generator
 * repeats nothing.
 */
function unexplainedRepeats(firstAtMs: readonly number[], { killed, killedAtMs }: PipelineResult): number {
  if (killedAtMs === undefined || killed === 'generator') return firstAtMs.length
  const fromMs = killedAtMs - commitIntervalMs - slackMs
  const toMs = killed === 'consumer' ? killedAtMs + slackMs : Infinity
  return firstAtMs.filter((atMs) => atMs < fromMs || atMs > toMs).length
}
