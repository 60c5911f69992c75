import { ManualClock } from '@sluice/flow'
import { Cluster } from '../../cluster/cluster.ts'
import { Consumer } from '../consumer.ts'
import type { ConsumerEvents } from '../events.ts'
import type { ConsumerOptions } from '../options.ts'
import { letters, pass } from './open-session.ts'
import { SimulatedBroker } from './simulated-broker.ts'

/** A consumer of `letters`, from the earliest record on, that is to be run or streamed. */
export async function openConsumer({
  partitions = 2,
  on,
  ...options
}: Partial<ConsumerOptions<typeof letters>> & { partitions?: number; on?: SimulatedBroker } = {}) {
  const clock = on?.clock ?? new ManualClock()
  const broker = on ?? new SimulatedBroker(clock)
  if (on === undefined) broker.createTopic(letters.name, partitions)
  const cluster = new Cluster({ driver: broker.driver, clock, coordinatorTimeoutMs: 1_000, metadataMaxAgeMs: 1e9 })
  const standard = { group: 'readers', topics: [letters], reset: 'earliest' as const }
  const consumer = await Consumer.open(cluster, { ...standard, ...options }, clock)
  return {
    broker,
    consumer,
    pass: (ms: number): Promise<void> => pass(clock, ms),
    /** All events of a name from now on. */
    hear: <Name extends keyof ConsumerEvents>(name: Name): ConsumerEvents[Name][] => {
      const heard: ConsumerEvents[Name][] = []
      consumer.on(name, (event) => heard.push(event))
      return heard
    },
    /** Lets time pass until the promise settles, or for a minute. */
    settled: async <T>(promise: Promise<T>): Promise<T> => {
      let isSettled = false
      promise.catch(() => {}).finally(() => (isSettled = true))
      for (let steps = 0; !isSettled && steps < 600; steps++) await pass(clock, 100)
      if (!isSettled) throw new Error('not settled within a minute')
      return await promise
    },
  }
}
