import type { TableAudit } from '@sluice/commerce'

/** Records in a topic at the demo's start and end. */
export interface TopicGrowth {
  readonly before: number
  readonly after: number
}

/** What became of one topic's records: acknowledged, in Kafka, in PostgreSQL. */
export interface TopicVerdict {
  readonly topic: string
  readonly acknowledged: number
  /** Records that came into the topic; more than acknowledged where a kill took an acknowledgement with it. */
  readonly inTopic: number
  /** Acknowledged records that are not in PostgreSQL. */
  readonly missing: number
  readonly examples: readonly string[]
}

export function judge(topic: string, audit: TableAudit, growth: TopicGrowth): TopicVerdict {
  const { acknowledged, missing, examples } = audit
  return { topic, acknowledged, inTopic: growth.after - growth.before, missing, examples }
}

/** Whether everything that was acknowledged is in the topic and in PostgreSQL. */
export function isComplete({ acknowledged, inTopic, missing }: TopicVerdict): boolean {
  return missing === 0 && inTopic >= acknowledged
}

export function verdictLine(verdict: TopicVerdict): string {
  const { topic, acknowledged, inTopic, missing, examples } = verdict
  const stored = acknowledged - missing
  const such = examples.length > 0 ? `, such as ${examples.join(', ')}` : ''
  return (
    `${topic}: ${count(acknowledged)} acknowledged, ${count(inTopic)} in the topic, ` +
    `${count(stored)} of the acknowledged in PostgreSQL, ${count(missing)} missing${such}`
  )
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
