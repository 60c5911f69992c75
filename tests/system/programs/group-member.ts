// A member of a consumer group in a process of its own. Each step of its handler is a line in a file, written at once,
// so that a kill loses nothing of it: `begin partition offset time`, `end partition offset time`. So is each commit that
// was answered (`commit`), and each partition that comes and goes (`assigned`, `revoked`, `lost`).
import { openSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ConsumerOptions, Kafka, text, topic } from '@sluice/kafka'

export interface GroupMemberJob {
  readonly bootstrap: string
  readonly topic: string
  readonly group: string
  readonly name: string
  readonly log: string
  readonly stateDir?: string
  readonly handlerMs: number
  /** The handler of an offset that is a multiple of this one does not end before it is aborted. */
  readonly openEvery?: number
  /** Beside those above. */
  readonly options?: Partial<ConsumerOptions>
}

const job = JSON.parse(process.argv[2]!) as GroupMemberJob
const log = openSync(job.log, 'a')
const note = (what: string, partition: number, offset: number): void => {
  writeSync(log, `${what} ${partition} ${offset} ${performance.timeOrigin + performance.now()}\n`)
}

await using kafka = new Kafka({ brokers: job.bootstrap.split(','), clientId: job.name })
await using consumer = await kafka.consumer({
  group: job.group,
  topics: [topic(job.topic, { value: text })],
  reset: 'earliest',
  instanceName: job.name,
  ...(job.stateDir !== undefined && { stateDir: job.stateDir }),
  ...job.options,
})
consumer.on('committed', ({ offsets }) => {
  for (const { partition, offset } of offsets) note('commit', partition, offset)
})
for (const what of ['assigned', 'revoked', 'lost'] as const) {
  consumer.on(what, ({ partitions }) => {
    for (const { partition, offset } of partitions) note(what, partition, offset)
    console.log(`${what} ${partitions.map((one) => one.partition).join(' ')}`)
  })
}
consumer.on('error', ({ during, error }) => console.log(`error ${during} ${String(error)}`))
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
console.log('started')
await consumer.run(
  async ({ partition, offset }, { signal }) => {
    note('begin', partition, offset)
    const isOpen = job.openEvery !== undefined && offset % job.openEvery === 0
    await sleep(isOpen ? 2 ** 31 - 1 : job.handlerMs, undefined, { signal })
    note('end', partition, offset)
  },
  { signal: stop.signal },
)
