// A program of a user, as strict as a compiler can be: tests/system/packaging.test.ts compiles it against what would be
// published, with several versions of TypeScript and `skipLibCheck: false`.
import { FlowController, PriorityQueue, type FlowControllerState } from '@sluice/flow'
import {
  BackpressureError,
  gradientLimit,
  json,
  Kafka,
  text,
  topic,
  topicPattern,
  type Clock,
  type Consumer,
  type ConsumerRecord,
  type ConsumerState,
  type Delivery,
  type KafkaState,
  type Limit,
  type PipeState,
  type ProducerState,
  type ReaderState,
  type RecordOf,
} from '@sluice/kafka'
import { Outbox, postgresSink, type PostgresSink, type PostgresSinkState } from '@sluice/postgres'
import { startStack, type Stack } from '@sluice/stack'

/** Only compiled, never run. */
declare function print(...values: readonly unknown[]): void

interface Order {
  readonly id: string
  readonly amount: number
}

const orders = topic('orders', { key: text, value: json<Order>() })
const payments = topic('payments', { value: json<{ readonly paid: boolean }>() })
const audits = topicPattern(/^audit\./, { value: text })

/** Each handler sees the type of its topic. */
function describe(record: RecordOf<typeof orders> | RecordOf<typeof payments>): string {
  return record.topic === 'orders' ? record.value.id : String(record.value.paid)
}

export async function consume(kafka: Kafka): Promise<ConsumerState> {
  const limit: Limit = gradientLimit()
  const consumer = await kafka.consumer({ group: 'shop', topics: [orders, payments], concurrency: limit })
  const off = consumer.on('deadLettered', ({ topic, partition, offset }) => print(topic, partition, offset))
  await consumer.run((record, { signal, attempt }) => print(describe(record), signal.aborted, attempt))
  off()
  return consumer.inspect()
}

export async function produce(kafka: Kafka, order: Order): Promise<Delivery | undefined> {
  await using producer = await kafka.producer({ queue: { maxRecords: 1_000 } })
  const state: ProducerState = producer.inspect()
  try {
    return await producer.send(orders, { key: order.id, value: order, headers: { source: state.state } })
  } catch (error) {
    if (error instanceof BackpressureError) return undefined
    throw error
  }
}

export async function pipe(kafka: Kafka): Promise<PipeState> {
  await using pipe = await kafka.pipe({
    group: 'pay',
    from: orders,
    to: payments,
    handler: ({ value }) => ({ value: { paid: value.amount > 0 } }),
  })
  return pipe.inspect()
}

export async function read(kafka: Kafka): Promise<ReaderState> {
  await using reader = await kafka.reader({ topics: [orders], from: 'earliest' })
  for await (const record of reader) print(record.value.amount)
  return reader.inspect()
}

export async function sink(
  kafka: Kafka,
  pool: Parameters<typeof postgresSink>[0]['pool'],
): Promise<[PostgresSink<typeof orders>, PostgresSinkState]> {
  const sink = await postgresSink({
    kafka,
    pool,
    group: 'ledger',
    topics: [orders],
    handler: async (tx, records) => {
      await tx.query('INSERT INTO ledger SELECT * FROM unnest($1::text[])', [records.map(({ value }) => value.id)])
    },
  })
  return [sink, sink.inspect()]
}

export async function control(clock: Clock): Promise<FlowControllerState> {
  const waiting = new PriorityQueue<string>({ maxRecords: 10, clock, onShed: ({ error }) => print(error.code) })
  const controller = new FlowController({ clock })
  await controller.run(async () => waiting.push('one'))
  return controller.inspect()
}

export async function stack(): Promise<[Stack, KafkaState]> {
  const stack = await startStack({ kafka: true })
  const kafka = new Kafka({ brokers: stack.kafka.bootstrapServers })
  return [stack, kafka.inspect()]
}

export type Audited = Consumer<typeof audits>
export type Anything = ConsumerRecord
export const outbox = Outbox
