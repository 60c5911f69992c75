import { ordersTopic, productsTopic } from '@sluice/commerce'
import type { Kafka } from '@sluice/kafka'

const PARTITIONS = 6
const MAX_REPLICAS = 3

export type TopicCounts = { readonly orders: number; readonly products: number }

/** The demo's topics, on as many brokers as there are; with three, one of them may be away. */
export async function createTopics(kafka: Kafka, brokers: number): Promise<void> {
  const replicationFactor = Math.min(MAX_REPLICAS, brokers)
  const configs = { 'min.insync.replicas': String(Math.max(1, replicationFactor - 1)) }
  const topics = [ordersTopic, productsTopic].map(({ name }) => ({
    name,
    partitions: PARTITIONS,
    replicationFactor,
    configs,
  }))
  await kafka.admin().createTopics(topics, { ifNotExists: true })
}

/** Records ever written, by their offsets: without transactions each offset is a record. */
export async function countTopics(kafka: Kafka): Promise<TopicCounts> {
  const count = async (topic: string): Promise<number> => {
    const ends = await kafka.admin().offsets([topic], 'latest')
    return ends.reduce((sum, { offset }) => sum + offset, 0)
  }
  return { orders: await count(ordersTopic.name), products: await count(productsTopic.name) }
}
