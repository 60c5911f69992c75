import { ManualClock } from '@sluice/flow'
import { expect, test } from 'vitest'
import { Cluster } from '../cluster/cluster.ts'
import { SimulatedBroker } from '../consumer/testing/simulated-broker.ts'
import { ConnectionError } from '../errors.ts'
import { Admin } from './admin.ts'
import { Deadline } from './deadline.ts'

/** What it rejects with, and when; it has to within a minute. */
async function failure(clock: ManualClock, work: Promise<unknown>) {
  let error: unknown
  let atMs: number | undefined
  work.then(
    () => (atMs = Infinity),
    (why: unknown) => {
      error = why
      atMs = clock.monotonicMs()
    },
  )
  for (let step = 0; step < 600 && atMs === undefined; step++) await clock.advanceAsync(100)
  return { error: error as Error & { readonly cause?: unknown }, atMs }
}

const never = (): Promise<never> => new Promise(() => {})

test('a time that is over says what was in vain last, also where the last try says nothing', async () => {
  const clock = new ManualClock()
  const deadline = new Deadline(clock, { timeoutMs: 100 })
  const cause = new ConnectionError('kafka-0:9092', 'cannot connect to kafka-0:9092')
  const trying = (async () => {
    await deadline.pause('it did not end', cause)
    for (;;) await deadline.pause('it did not end')
  })()
  const { error } = await failure(clock, trying)
  expect(error).toMatchObject({
    code: 'cluster_timed_out',
    message: 'it did not end within 100 ms: cannot connect to kafka-0:9092',
    cause,
  })
})

test('work in which any broker may be asked is waited for until the time is over, and no longer', async () => {
  const clock = new ManualClock()
  const deadline = new Deadline(clock, { timeoutMs: 1_000 })
  const { error, atMs } = await failure(clock, deadline.limit('no broker told', never()))
  expect(error.message).toBe('no broker told within 1000 ms: no answer came in this time')
  expect(atMs).toBe(1_000)
})

test.each<[string, RegExp, (admin: Admin, timeoutMs: number) => Promise<unknown>]>([
  [
    'delete topics',
    /^it is not known whether a could be deleted/,
    (admin, timeoutMs) => admin.deleteTopics(['a'], { timeoutMs }),
  ],
  [
    'create topics',
    /^it is not known whether a could be created/,
    (admin, timeoutMs) => admin.createTopics([{ name: 'a' }], { timeoutMs }),
  ],
  ['find offsets', /^no broker told about a/, (admin, timeoutMs) => admin.offsets(['a'], 'latest', { timeoutMs })],
  [
    'delete records',
    /^no broker told about a/,
    (admin, timeoutMs) => admin.deleteRecords([{ topic: 'a', partition: 0, offset: 1 }], { timeoutMs }),
  ],
  [
    'read what a group has committed',
    /^the coordinator of g did not answer/,
    (admin, timeoutMs) => admin.committedOffsets('g', { timeoutMs }),
  ],
])('asked to %s, a silent cluster is waited for no longer than was said', async (_, message, call) => {
  const clock = new ManualClock()
  const broker = new SimulatedBroker(clock)
  Object.assign(broker.driver, {
    metadata: never,
    findCoordinator: never,
    admin: { createTopics: never, deleteTopics: never },
  })
  const cluster = new Cluster({ driver: broker.driver, clock, coordinatorTimeoutMs: 30_000, metadataMaxAgeMs: 1e9 })
  const { error, atMs } = await failure(clock, call(new Admin(cluster, clock), 2_000))
  expect(error).toMatchObject({ code: 'cluster_timed_out', message: expect.stringMatching(message) })
  expect(atMs).toBeLessThanOrEqual(2_100)
})

test('a coordinator that is silent is named by its address', async () => {
  const clock = new ManualClock()
  const broker = new SimulatedBroker(clock)
  broker.driver.fetchOffsets = never
  const cluster = new Cluster({ driver: broker.driver, clock, coordinatorTimeoutMs: 30_000, metadataMaxAgeMs: 1e9 })
  const { error } = await failure(clock, new Admin(cluster, clock).committedOffsets('g', { timeoutMs: 2_000 }))
  expect(error.message).toMatch(/^the coordinator of g did not answer within 2000 ms: .* simulated:9092/)
})
