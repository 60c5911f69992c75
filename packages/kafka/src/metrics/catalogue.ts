/** Every metric of the runtime: its name in Prometheus, and what it says. docs/metrics.md is compared with this. */
export const catalogue = {
  kafka_messages_sent_total: { type: 'counter', labels: ['topic'], help: 'Records that were acknowledged.' },
  kafka_send_duration_seconds: {
    type: 'histogram',
    labels: ['topic'],
    help: 'From acceptance into the queue until the acknowledgement.',
  },
  kafka_producer_record_send_rate: {
    type: 'gauge',
    labels: ['client'],
    help: 'Acknowledged records a second, over the last 30 seconds or so.',
  },
  kafka_producer_record_error_rate: {
    type: 'gauge',
    labels: ['client'],
    help: 'Records a second that failed for good, over the last 30 seconds or so.',
  },
  kafka_producer_batch_size_avg: { type: 'gauge', labels: ['client'], help: 'Mean bytes of a batch as it was sent.' },
  sluice_producer_queue_records: {
    type: 'gauge',
    labels: ['client'],
    help: 'Records that were accepted and are not settled.',
  },
  sluice_producer_queue_bytes: { type: 'gauge', labels: ['client'], help: 'Bytes of these records.' },
  sluice_producer_queue_usage_ratio: {
    type: 'gauge',
    labels: ['client'],
    help: 'The larger of the shares of records and bytes, 0 to 1.',
  },
  sluice_producer_queue_waiting: { type: 'gauge', labels: ['client'], help: 'Callers that wait for room.' },
  sluice_producer_queue_throttled: {
    type: 'gauge',
    labels: ['client'],
    help: '1 from the high to the low watermark, on the way down; else 0.',
  },
  sluice_producer_shed_total: {
    type: 'counter',
    labels: ['client', 'reason'],
    help: 'Records that a full queue evicted or did not take.',
  },
  sluice_producer_failed_total: { type: 'counter', labels: ['topic'], help: 'Records that failed for good.' },
  sluice_producer_dead_letters_total: {
    type: 'counter',
    labels: ['client', 'place'],
    help: 'Dead letters that are in their topic, in the spool, or nowhere.',
  },
  sluice_producer_breaker_state: {
    type: 'gauge',
    labels: ['client', 'state'],
    help: '1 for the state that the breaker is in, 0 for the others.',
  },
  kafka_messages_processed_total: {
    type: 'counter',
    labels: ['topic', 'event_type'],
    help: 'Records that the application has counted as processed.',
  },
  kafka_consumer_records_consumed_rate: {
    type: 'gauge',
    labels: ['client'],
    help: 'Offsets finished a second, over the last 30 seconds or so.',
  },
  kafka_consumer_records_lag: {
    type: 'gauge',
    labels: ['client', 'topic'],
    help: 'Records behind the end of the log that are not finished, of the partitions that this consumer has.',
  },
  sluice_consumer_dead_letters_total: {
    type: 'counter',
    labels: ['client', 'form'],
    help: 'Dead letters that are in their topic: whole, or reduced to what the topic takes.',
  },
  kafka_consumer_commit_rate: {
    type: 'gauge',
    labels: ['client'],
    help: 'Commits a second, over the last 30 seconds or so.',
  },
  sluice_consumer_unreadable_total: {
    type: 'counter',
    labels: ['client', 'topic'],
    help: 'Batches, parts of them and single records that could not be read and were skipped.',
  },
} as const satisfies Record<string, Definition>

export interface Definition {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly help: string
}

export type MetricName = keyof typeof catalogue
