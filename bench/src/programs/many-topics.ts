// What a cluster of thousands of topics does to the event loop: for how long nothing else could run, step by step.
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, topicPattern, text } from '@sluice/kafka'
import { BlockWatch } from '../block-watch.ts'
import { answer, job } from '../in-process.ts'

export interface ManyTopicsJob {
  readonly bootstrap: string
  /** The topics' names begin with it. */
  readonly prefix: string
  readonly topics: number
  readonly idleSeconds: number
}

export interface ManyTopicsStep {
  readonly step: string
  readonly seconds: number
  readonly cpuSeconds: number
  /** The longest time in which no timer could run, and what this thread worked in it. */
  readonly longestGapMs: number
  readonly longestBlockMs: number
}

export interface ManyTopicsResult {
  readonly steps: readonly ManyTopicsStep[]
  readonly fetchesPerSecond: number
}

const { bootstrap, prefix, topics, idleSeconds } = job<ManyTopicsJob>()
const steps: ManyTopicsStep[] = []

async function measure(step: string, work: () => Promise<unknown>): Promise<void> {
  globalThis.gc?.()
  await sleep(50)
  const watch = new BlockWatch()
  const startedMs = performance.now()
  const cpu = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - startedMs) / 1_000
  await sleep(20)
  steps.push({ step, seconds, cpuSeconds: (user + system) / 1e6, ...watch.stop() })
}

await using kafka = new Kafka({ brokers: [bootstrap], clientId: 'bench' })
const admin = kafka.admin()
const names = (await admin.listTopics()).filter((name) => name.startsWith(prefix))
await measure('listTopics', () => admin.listTopics())
await measure('describeTopics', () => admin.describeTopics(names, { configs: false }))
await measure('describeTopics with settings', () => admin.describeTopics(names))
await measure('offsets', () => admin.offsets(names))

const group = `bench-${crypto.randomUUID()}`
await using consumer = await kafka.consumer({
  group,
  topics: [topicPattern(new RegExp(`^${prefix}`), { value: text })],
})
let running: Promise<void> | undefined
const brokers = () => consumer.inspect().fetcher?.brokers ?? []
await measure('join and be assigned', async () => {
  running = consumer.run(() => undefined)
  // Seldom: to look at thousands of partitions is work of its own.
  while ((brokers()[0]?.partitions ?? 0) < topics) await sleep(200)
  await sleep(500)
})
const before = brokers()[0]!.fetches
await measure('idle', () => sleep(idleSeconds * 1_000))
const fetchesPerSecond = (brokers()[0]!.fetches - before) / idleSeconds
await measure('lag of the group', () => admin.lag(group))
await measure('close', () => consumer.close())
await running
answer({ steps, fetchesPerSecond } satisfies ManyTopicsResult)
