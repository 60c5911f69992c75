// A member of a classic group, as clients of other libraries are: says `assigned` once it has its partitions, and stays.
import { Kafka, logLevel } from 'kafkajs'

const [bootstrap = '', groupId = '', ...topics] = process.argv.slice(2)
const kafka = new Kafka({ clientId: 'foreign', brokers: bootstrap.split(','), logLevel: logLevel.NOTHING })
// The session outlives what is tried while the member does not answer.
const consumer = kafka.consumer({ groupId, sessionTimeout: 600_000, rebalanceTimeout: 600_000 })
consumer.on(consumer.events.GROUP_JOIN, () => console.log('assigned'))
await consumer.connect()
await consumer.subscribe({ topics, fromBeginning: true })
await consumer.run({ eachMessage: () => Promise.resolve() })
