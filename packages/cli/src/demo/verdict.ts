import type { TableAudit } from '@sluice/commerce'

/** Records in a topic at the demo's start and end. */
export interface TopicGrowth {
  readonly before: number
  readonly after: number
}

/** What became of one topic's records: acknowledged, in Kafka, in PostgreSQL. */
export interface TopicVerdict {
  readonly topic: string
  /** Lines of the ledger. */
  readonly acknowledged: number
  /** Acknowledgements that the generator has reported: more than the ledger has where that could not be written. */
  readonly reported: number
  /** Records that came into the topic; more than acknowledged where a kill took an acknowledgement with it. */
  readonly inTopic: number
  /** Acknowledged records that are not in PostgreSQL. */
  readonly missing: number
  readonly examples: readonly string[]
}

export function judge(topic: string, audit: TableAudit, growth: TopicGrowth, reported: number): TopicVerdict {
  const { acknowledged, missing, examples } = audit
  return { topic, acknowledged, reported, inTopic: growth.after - growth.before, missing, examples }
}

/** Whether everything that was acknowledged is in the ledger, in the topic and in PostgreSQL. */
export function isComplete({ acknowledged, reported, inTopic, missing }: TopicVerdict): boolean {
  return missing === 0 && inTopic >= acknowledged && acknowledged >= reported
}

export function verdictLine(verdict: TopicVerdict): string {
  const { topic, acknowledged, reported, inTopic, missing, examples } = verdict
  const stored = acknowledged - missing
  const such = examples.length > 0 ? `, such as ${examples.join(', ')}` : ''
  const hole =
    acknowledged < reported
      ? `; the ledger has only ${count(acknowledged)} of the ${count(reported)} that were reported as acknowledged`
      : ''
  return (
    `${topic}: ${count(acknowledged)} acknowledged, ${count(inTopic)} in the topic, ` +
    `${count(stored)} of the acknowledged in PostgreSQL, ${count(missing)} missing${such}${hole}`
  )
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
