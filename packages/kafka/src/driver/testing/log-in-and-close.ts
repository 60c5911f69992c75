import { once } from 'node:events'
import { Kafka } from '../../kafka.ts'

// A program of its own: uses a session until its parent says that the broker has hung up, closes, and should then end.
const brokers = [process.argv[2]!]
const kafka = new Kafka({ brokers, sasl: { mechanism: 'PLAIN', username: 'user', password: 'secret' } })
await kafka.admin().listTopics()
process.stdout.write('connected\n')
await once(process.stdin, 'data')
process.stdin.destroy()
await kafka.close()
process.stdout.write('closed\n')
