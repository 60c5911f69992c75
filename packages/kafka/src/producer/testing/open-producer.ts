import { BackpressureError, ManualClock } from '@sluice/flow'
import type { Priority } from '@sluice/flow'
import type { Codec } from '../../codecs/codec.ts'
import type { DeliveryError } from '../../errors.ts'
import type { Delivery, Topic } from '../../record/record.ts'
import type { ProducerOptions } from '../options.ts'
import { Producer } from '../producer.ts'
import { SimulatedCluster } from './simulated-cluster.ts'

const utf8: Codec<string> = { name: 'utf8', encode: (value) => Buffer.from(value), decode: String }

export const letters: Topic<string, string> = { name: 'letters', key: utf8, value: utf8 }

/** What became of a record, as soon as something has. */
export interface Fated {
  readonly value: string
  readonly priority: Priority
  delivery?: Delivery
  error?: Error
}

/** A producer on a simulated cluster with the topic `letters`, and time in the test's hand. */
export async function openProducer(
  options: ProducerOptions = {},
  { partitions = 1, firstEpoch = 0, isKnown = true } = {},
) {
  const clock = new ManualClock({ startMs: 1_000_000 })
  const cluster = new SimulatedCluster(clock, firstEpoch)
  const logs = cluster.createTopic(letters.name, partitions)
  if (isKnown) cluster.learn([letters.name])
  const producer = await Producer.open(cluster, {
    compression: 'none',
    addHeaders: false,
    tracing: false,
    ...options,
    clock,
  })
  const send = (value: string, partition = 0, priority: Priority = 'medium'): Fated => {
    const fated: Fated = { value, priority }
    producer.send(letters, { value, partition, priority }).then(
      (delivery) => (fated.delivery = delivery),
      (error: unknown) => (fated.error = error as Error),
    )
    return fated
  }
  return { clock, cluster, log: logs[0]!, logs, producer, send, pass: (ms: number) => pass(clock, ms) }
}

/** Lets time pass, and everything that is woken on the way run to its next wait before time goes on. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  const untilMs = clock.monotonicMs() + ms
  await settle()
  while ((clock.nextDueMs ?? Infinity) <= untilMs) {
    clock.advance(clock.nextDueMs! - clock.monotonicMs())
    await settle()
  }
  clock.advance(untilMs - clock.monotonicMs())
}

/** A few turns of the event loop: the loop of a broker starts in the turn after it was woken. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}

export function outcomeOf({ delivery, error }: Fated): string {
  if (delivery) return 'delivered'
  if (error instanceof BackpressureError) return error.reason
  return (error as DeliveryError | undefined)?.outcome ?? error?.name ?? 'pending'
}
