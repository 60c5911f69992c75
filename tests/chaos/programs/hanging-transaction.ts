// Opens a transaction with one record and is gone before its end: it hangs until its timeout.
import { subscribe } from 'node:diagnostics_channel'
import { Kafka, text, topic } from '@sluice/kafka'

const [bootstrap = '', name = ''] = process.argv.slice(2)
subscribe('sluice:transaction', (message) => {
  if ((message as { step: string }).step === 'outputs') process.kill(process.pid, 'SIGKILL')
})
const kafka = new Kafka({ brokers: bootstrap.split(','), clientId: 'hanging' })
const producer = await kafka.transactionalProducer({ transactionalId: 'hanging', timeoutMs: 600_000 })
await producer.run((scope) => {
  scope.send(topic(name, { value: text }), { value: 'held back', partition: 0 })
})
