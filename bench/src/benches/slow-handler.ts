import { Kafka, bytes, text, topic } from '@sluice/kafka'
import { count, option } from '../bench.ts'
import { openBroker } from '../broker.ts'
import { randomValue } from '../clients/client.ts'
import { inProcess } from '../in-process.ts'
import type { SlowConsumerJob, SlowConsumerResult } from '../programs/slow-consumer.ts'
import { gateRow, median, promise, publish, round } from '../report.ts'

export const title =
  'a consumer with slow handlers before a long backlog: its memory, and how soon urgent records begin'

export const options = {
  seconds: option('600', 'how long it consumes'),
  backlog: option('1000000', 'records in front of it'),
  bytes: option('1024', 'bytes of a value'),
  keys: option('10000', 'different keys'),
  handler: option('1000', 'milliseconds that a handler takes'),
  concurrency: option('10', 'handlers at once'),
  bootstrap: option('', 'a broker to use instead of one of its own'),
}

const MiB = 2 ** 20
const maxGrowthMiB = 128e6 / MiB
const maxUrgentDelayMs = 2_000
const urgentEveryMs = 1_000

export async function run(args: Readonly<Record<string, string>>): Promise<void> {
  const seconds = count(args, 'seconds')
  const backlog = count(args, 'backlog')
  const valueBytes = count(args, 'bytes')
  const keys = count(args, 'keys')
  const handlerMs = count(args, 'handler')
  const concurrency = count(args, 'concurrency')
  await using broker = await openBroker(args['bootstrap']!)
  await using kafka = new Kafka({ brokers: [broker.bootstrap], clientId: 'bench' })
  const name = `bench-slow-${Date.now()}`
  const urgentTopic = `${name}-urgent`
  await kafka.admin().createTopics([
    { name, partitions: 6 },
    { name: urgentTopic, partitions: 1 },
  ])
  try {
    console.log(`writing ${backlog} records`)
    await fill(kafka, name, { backlog, valueBytes, keys })
    console.log(`consuming for ${seconds} s, ${concurrency} handlers of ${handlerMs} ms at once`)
    const limits = { maxRecords: 1_000_000, maxBytes: 64 * MiB }
    const where = { bootstrap: broker.bootstrap, topic: name, urgentTopic }
    const slow: SlowConsumerJob = { ...where, ...limits, handlerMs, concurrency, seconds }
    const urgent = sendUrgent(kafka, urgentTopic)
    const result = await inProcess<SlowConsumerResult>('slow-consumer.ts', slow, { timeoutMs: (seconds + 120) * 1_000 })
    const sent = await urgent.stop()
    report({ seconds, backlog, valueBytes, keys, handlerMs, concurrency }, result, sent)
  } finally {
    await kafka.admin().deleteTopics([name, urgentTopic])
  }
}

async function fill(
  kafka: Kafka,
  name: string,
  { backlog, valueBytes, keys }: { backlog: number; valueBytes: number; keys: number },
): Promise<void> {
  await using producer = await kafka.producer({ compression: 'none' })
  const value = randomValue(valueBytes)
  const target = topic(name, { key: text, value: bytes })
  const records = function* () {
    for (let index = 0; index < backlog; index++) yield { key: `key-${index % keys}`, value }
  }
  for await (const _ of producer.sendAll(target, records(), { maxInFlight: 1_000 }));
}

/** One record a second until it is stopped; then how many were acknowledged. */
function sendUrgent(kafka: Kafka, name: string): { stop(): Promise<number> } {
  const target = topic(name, { value: bytes })
  const stopped = new AbortController()
  const sending = (async () => {
    await using producer = await kafka.producer()
    let sent = 0
    while (!stopped.signal.aborted) {
      await producer.send(target, { value: Buffer.from(`${sent}`) })
      sent++
      await new Promise((resolve) => setTimeout(resolve, urgentEveryMs))
    }
    return sent
  })()
  return {
    stop: () => {
      stopped.abort()
      return sending
    },
  }
}

function report(parameters: Readonly<Record<string, number>>, result: SlowConsumerResult, sent: number): void {
  const { urgentDelaysMs, maxGateBytes, memory } = result
  const longest = Math.max(0, ...urgentDelaysMs)
  const promises = [
    promise('growth of RSS, MiB', memory.growthMiB, '<=', maxGrowthMiB),
    promise('most bytes in its gate, MiB', maxGateBytes / MiB, '<=', 64),
    promise('longest until an urgent record began, ms', longest, '<=', maxUrgentDelayMs),
  ]
  publish({
    name: 'slow-handler',
    parameters,
    tables: {
      consumer: [gateRow(result)],
      'urgent records': [
        {
          sent,
          begun: urgentDelaysMs.length,
          'median ms': round(median(urgentDelaysMs)),
          'longest ms': round(longest),
        },
      ],
      'what has to hold': promises,
    },
    details: { memory, urgentDelaysMs },
  })
  if (urgentDelaysMs.length === 0 || promises.some(({ holds }) => holds === 'no')) process.exitCode = 1
}
