import { ManualClock } from '@sluice/flow'
import { Emitter } from '@sluice/flow/internal'
import { Cluster } from '../../cluster/cluster.ts'
import { text } from '../../codecs/text.ts'
import { topic } from '../../record/topic.ts'
import type { ConsumerRecord } from '../../incoming/consumer-record.ts'
import type { ConsumerEvents } from '../events.ts'
import type { HandlerContext } from '../dispatch/invocation.ts'
import { parseConsumerOptions, type ConsumerOptions } from '../options.ts'
import { type AnySource } from '../../record/sources.ts'
import type { ProcessReadings } from '../pressure.ts'
import { Session } from '../session.ts'
import { SimulatedBroker } from './simulated-broker.ts'
import { TimeLimit } from '../../time-limit.ts'

export const letters = topic('letters', { key: text, value: text })

type Handler = (record: ConsumerRecord<string, string>, context: HandlerContext) => unknown

/** A session of one consumer of `letters`, from the earliest record on, on a simulated broker and a manual clock. */
export async function openSession(
  handler: Handler,
  {
    partitions = 2,
    batch = false,
    readings = { memory: () => 0, cpu: () => 0 },
    on,
    ...options
  }: Partial<ConsumerOptions<AnySource>> & {
    partitions?: number
    batch?: boolean
    readings?: ProcessReadings
    /** A broker that another session has used before. */
    on?: SimulatedBroker
  } = {},
) {
  const clock = on?.clock ?? new ManualClock()
  const broker = on ?? new SimulatedBroker(clock)
  const settings = parseConsumerOptions({ group: 'readers', topics: [letters], reset: 'earliest', ...options })
  const names = new Set([letters.name, ...settings.topics.keys()])
  if (on === undefined) for (const name of names) broker.createTopic(name, partitions)
  const cluster = new Cluster({ driver: broker.driver, clock, coordinatorTimeoutMs: 1_000, metadataMaxAgeMs: 1e9 })
  await cluster.refresh([...names])
  const events = new Emitter<ConsumerEvents>()
  const seen: { name: string; event: unknown }[] = []
  for (const name of eventNames) events.on(name, (event) => seen.push({ name, event }))
  const failures: Error[] = []
  const session = new Session({
    cluster,
    clock,
    events,
    settings,
    stateFile: undefined,
    handler,
    batch,
    readings,
    onFatal: (error) => failures.push(error),
  })
  return {
    broker,
    session,
    failures,
    /** Events by name, in order. */
    heard: (name: keyof ConsumerEvents): unknown[] => seen.filter((one) => one.name === name).map(({ event }) => event),
    pass: (ms: number): Promise<void> => pass(clock, ms),
    /** Beside the cluster's own, for its metadata. */
    timersLeft: (): number => clock.pending - 1,
    /** Closes while time passes. */
    close: async (timeoutMs = 1_000) => {
      const closing = session.close(new TimeLimit(clock, timeoutMs))
      await pass(clock, timeoutMs * 2 + 5_000)
      return await closing
    },
  }
}

const eventNames = [
  'assigned',
  'revoked',
  'lost',
  'committed',
  'reset',
  'topicRecreated',
  'handlerFailed',
  'handlerTimedOut',
  'handlerAbandoned',
  'stuck',
  'unreadable',
  'pressure',
  'suspended',
  'clusterLost',
  'clusterBack',
  'stableOffsetHeld',
  'resumed',
  'error',
] as const

const STEP_MS = 10
/** The dispatcher goes on in the next turn of the event loop, and what it brings about in the one after. */
const TURNS_A_STEP = 4

export async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let left = ms; left >= 0; left -= STEP_MS) {
    for (let turn = 0; turn < TURNS_A_STEP; turn++) await new Promise((resolve) => setImmediate(resolve))
    if (left > 0) await clock.advanceAsync(Math.min(left, STEP_MS))
  }
}
