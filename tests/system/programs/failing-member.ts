// A consumer whose handler fails for some records, in a process of its own. Each step is a line in a file, written at
// once, so that a kill loses nothing of it: `begin id attempt time`, `failed ...`, `end ...`, `buried ...`; and
// `starved 0 milliseconds time` where the machine gave the process no processor for so long.
import { openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ConsumerOptions, Kafka, text, topic } from '@sluice/kafka'

export interface FailingMemberJob {
  readonly bootstrap: string
  readonly topic: string
  readonly group: string
  readonly name: string
  readonly log: string
  readonly stateDir: string
  readonly options: Partial<ConsumerOptions>
  /** Every record whose number is a multiple of this one fails; every fifth of those for good. */
  readonly failEvery: number
  /** The attempt at which the others are done. */
  readonly doneAt: number
}

const job = JSON.parse(process.argv[2]!) as FailingMemberJob
const log = openSync(job.log, 'a')
const note = (what: string, id: number, attempt: number): void => {
  writeSync(log, `${what} ${id} ${attempt} ${performance.timeOrigin + performance.now()}\n`)
}

/** What passed of the clock and not of the processor while the loop stood still was not ours. */
const tickMs = 20
let [tickedMs, cpu] = [performance.now(), process.cpuUsage()]
setInterval(() => {
  const { user, system } = process.cpuUsage(cpu)
  const starvedMs = performance.now() - tickedMs - Math.max(tickMs, (user + system) / 1_000)
  if (starvedMs > tickMs) note('starved', 0, Math.round(starvedMs))
  tickedMs = performance.now()
  cpu = process.cpuUsage()
}, tickMs).unref()

await using kafka = new Kafka({ brokers: job.bootstrap.split(','), clientId: job.name })
await using consumer = await kafka.consumer({
  group: job.group,
  topics: [topic(job.topic, { value: text })],
  reset: 'earliest',
  instanceName: job.name,
  stateDir: job.stateDir,
  ...job.options,
  onDeadLetter: ({ value }) => note('buried', Number(value), 0),
})
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
console.log('started')
await consumer.run(
  async ({ value }, { attempt }) => {
    const id = Number(value)
    note('begin', id, attempt)
    await sleep(2)
    const isHopeless = id % (5 * job.failEvery) === 0
    const isFailure = id % job.failEvery === 0 && (isHopeless || attempt < job.doneAt)
    note(isFailure ? 'failed' : 'end', id, attempt)
    if (isFailure) throw new Error(`not ${id}`)
  },
  { signal: stop.signal },
)
