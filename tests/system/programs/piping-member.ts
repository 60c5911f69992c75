// A pipe in a process of its own, which kills itself at a step of a transaction if it is told to: with `dieAt`, in one
// of the transactions after the first, as chance would have it.
import { subscribe } from 'node:diagnostics_channel'
import { writeSync } from 'node:fs'
import { Kafka, outputTo, text, topic, type PipeOptions, type TransactionStepMessage } from '@sluice/kafka'

export interface PipingMemberJob {
  readonly bootstrap: string
  readonly from: string
  readonly to: string
  /** Every tenth record has an output here as well. */
  readonly audit?: string
  readonly group: string
  readonly name: string
  readonly stateDir?: string
  readonly dieAt?: TransactionStepMessage['step']
  /** Freezes (SIGSTOP) at this step of its third transaction. */
  readonly freezeAt?: TransactionStepMessage['step']
  readonly options?: Partial<PipeOptions<ReturnType<typeof lines>, ReturnType<typeof lines>>>
}

const lines = (name: string) => topic(name, { key: text, value: text })

const job = JSON.parse(process.argv[2]!) as PipingMemberJob
let begun = 0
subscribe('sluice:transaction', (message) => {
  const { step } = message as TransactionStepMessage
  if (step === 'begin') begun++
  if (step === job.freezeAt && begun === 3) {
    writeSync(1, 'freezing\n')
    process.kill(process.pid, 'SIGSTOP')
  }
  if (step !== job.dieAt || begun < 2 || Math.random() < 0.5) return
  const die = (): void => void process.kill(process.pid, 'SIGKILL')
  // The request has to leave before: then it may be done, or not.
  if (step === 'end_sent') setTimeout(die, Math.random() * 4)
  else die()
})

const audit = job.audit === undefined ? undefined : lines(job.audit)
await using kafka = new Kafka({ brokers: job.bootstrap.split(','), clientId: job.name })
await using pipe = await kafka.pipe({
  group: job.group,
  from: lines(job.from),
  to: lines(job.to),
  reset: 'earliest',
  instanceName: job.name,
  ...(job.stateDir !== undefined && { stateDir: job.stateDir }),
  ...job.options,
  handler: ({ key, value, offset }) => {
    const copy = { key, value }
    return audit !== undefined && offset % 10 === 0 ? [copy, outputTo(audit, copy)] : copy
  },
})
for (const name of ['assigned', 'revoked', 'lost'] as const) {
  pipe.on(name, ({ partitions }) => console.log(`${name} ${partitions.map((one) => one.partition).join(' ')}`))
}
pipe.on('committed', ({ outputs }) => console.log(`committed ${outputs}`))
pipe.on('aborted', ({ error }) => console.log(`aborted ${error.message}`))
pipe.on('fenced', ({ error }) => console.log(`fenced ${error.message}`))
pipe.on('error', ({ during, error }) => console.log(`error ${during} ${String(error)}`))
process.once('SIGTERM', () => void pipe.close())
console.log('started')
await pipe.done
