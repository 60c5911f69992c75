import { CompressionTypes, Kafka, Partitioners, logLevel } from 'kafkajs'
import { type ClientJob, type Contestant, type Feed, ReadCount, randomValue, sendWarm } from './client.ts'

const connect = ({ bootstrap }: ClientJob): Kafka =>
  new Kafka({ clientId: 'bench', brokers: [bootstrap], logLevel: logLevel.ERROR })

function sends(feed: Feed): Contestant {
  return async (job) => {
    const producer = connect(job).producer({ createPartitioner: Partitioners.DefaultPartitioner })
    await producer.connect()
    const value = randomValue(job.valueBytes)
    const messages = Array.from({ length: feed.size }, () => ({ value }))
    const measured = await sendWarm(job, feed, () =>
      producer.send({ topic: job.topic, messages, acks: -1, compression: CompressionTypes.None }),
    )
    await producer.disconnect()
    return measured
  }
}

const eachBatch: Contestant = async (job) => {
  const consumer = connect(job).consumer({ groupId: `bench-${crypto.randomUUID()}` })
  await consumer.connect()
  await consumer.subscribe({ topics: [job.topic], fromBeginning: true })
  const count = new ReadCount(job)
  await consumer.run({
    autoCommitInterval: 1_000,
    eachBatch: ({ batch }) => {
      count.add(batch.messages.length)
      return Promise.resolve()
    },
  })
  return count.done
}

const eachMessage: Contestant = async (job) => {
  const consumer = connect(job).consumer({ groupId: `bench-${crypto.randomUUID()}` })
  await consumer.connect()
  await consumer.subscribe({ topics: [job.topic], fromBeginning: true })
  const count = new ReadCount(job)
  await consumer.run({
    autoCommitInterval: 1_000,
    eachMessage: () => {
      count.add()
      return Promise.resolve()
    },
  })
  return count.done
}

export const produce = {
  'single sends, each awaited': sends({ window: 1, size: 1 }),
  'single sends, 1,000 in flight': sends({ window: 1_000, size: 1 }),
  'batches of 1,000': sends({ window: 5_000, size: 1_000 }),
  'batches of 1,000, 100,000 in flight': sends({ window: 100_000, size: 1_000 }),
}
export const consume = { eachBatch, eachMessage }
