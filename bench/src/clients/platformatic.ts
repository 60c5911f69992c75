import { Consumer, Producer } from '@platformatic/kafka'
import { type Contestant, type Feed, ReadCount, randomValue, sendWarm } from './client.ts'

function sends(feed: Feed): Contestant {
  return async (job) => {
    const producer = new Producer({ clientId: 'bench', bootstrapBrokers: [job.bootstrap], acks: -1 })
    const value = randomValue(job.valueBytes)
    const messages = Array.from({ length: feed.size }, () => ({ topic: job.topic, value }))
    const measured = await sendWarm(job, feed, () => producer.send({ messages }))
    await producer.close()
    return measured
  }
}

const stream: Contestant = async (job) => {
  const consumer = new Consumer({
    clientId: 'bench',
    bootstrapBrokers: [job.bootstrap],
    groupId: `bench-${crypto.randomUUID()}`,
  })
  const messages = await consumer.consume({ topics: [job.topic], mode: 'earliest', autocommit: 1_000 })
  const count = new ReadCount(job)
  messages.on('data', () => count.add())
  messages.on('error', (error) => {
    throw error
  })
  return count.done
}

export const produce = {
  'single sends, each awaited': sends({ window: 1, size: 1 }),
  'single sends, 1,000 in flight': sends({ window: 1_000, size: 1 }),
  'batches of 1,000': sends({ window: 5_000, size: 1_000 }),
  'batches of 1,000, 100,000 in flight': sends({ window: 100_000, size: 1_000 }),
}
export const consume = { stream }
