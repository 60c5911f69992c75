import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ManualClock } from '@sluice/flow'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Cluster } from '../cluster/cluster.ts'
import { Consumer } from './consumer.ts'
import type { ConsumerOptions } from './options.ts'
import { letters } from './testing/open-session.ts'
import { SimulatedBroker } from './testing/simulated-broker.ts'

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sluice-consumer-'))))
afterEach(() => rmSync(folder, { recursive: true }))

const clock = new ManualClock()

/** Lets time pass until the promise settles, or for a minute. */
async function settled<T>(promise: Promise<T>): Promise<T> {
  let isSettled = false
  promise.catch(() => {}).finally(() => (isSettled = true))
  for (let steps = 0; !isSettled && steps < 6_000; steps++) {
    for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve))
    if (!isSettled) await clock.advanceAsync(10)
  }
  if (!isSettled) throw new Error('not settled within a minute')
  return await promise
}

async function onBroker(prepare?: (broker: SimulatedBroker) => void) {
  const broker = new SimulatedBroker(clock)
  broker.createTopic(letters.name, 1)
  broker.assign(letters.name, [0])
  prepare?.(broker)
  const cluster = new Cluster({ driver: broker.driver, clock, coordinatorTimeoutMs: 1_000, metadataMaxAgeMs: 1e9 })
  const open = (options: Partial<ConsumerOptions> = {}) =>
    Consumer.open(cluster, { group: 'readers', topics: [letters], stateDir: folder, ...options }, clock)
  return { broker, open }
}

async function running(consumer: Consumer): Promise<{ ended: Promise<void> }> {
  const assigned = Promise.withResolvers<void>()
  consumer.on('assigned', () => assigned.resolve())
  const ended = consumer.run(() => undefined)
  await settled(assigned.promise)
  return { ended }
}

test('a state file that cannot be let go of is told, and keeps nobody waiting', async () => {
  const { open } = await onBroker()
  const consumer = await open()
  const { ended } = await running(consumer)
  const errors: unknown[] = []
  consumer.on('error', (event) => errors.push(event))
  const [file] = readdirSync(folder)
  rmSync(join(folder, file!))
  mkdirSync(join(folder, file!))
  expect(await settled(consumer.close())).toEqual({ abandonedHandlers: 0, uncommitted: [] })
  await settled(ended)
  expect(consumer.inspect().state).toBe('closed')
  expect(errors).toMatchObject([{ during: 'state_file', error: { code: 'EISDIR' } }])
})

test('a member that could not leave is dismissed at the next start', async () => {
  const { broker, open } = await onBroker()
  const first = await open()
  const { ended } = await running(first)
  const memberId = broker.heartbeats.at(-1)!.memberId
  broker.heartbeatFate = ({ memberEpoch }) => (memberEpoch < 0 ? 'COORDINATOR_NOT_AVAILABLE' : undefined)
  await settled(first.close({ timeoutMs: 1_000 }))
  await ended
  // The file is real, and the time of this test is not: it may have run ahead of the disk.
  const [file] = readdirSync(folder)
  await vi.waitFor(() => expect(readFileSync(join(folder, file!), 'utf8')).toContain(`"former":["${memberId}"]`))
  broker.heartbeatFate = () => undefined
  broker.heartbeats.length = 0
  const second = await open()
  broker.assign(letters.name, [0])
  await running(second)
  expect(broker.heartbeats[0]).toMatchObject({ memberId, memberEpoch: -1 })
  await settled(second.close())
  expect(readdirSync(folder)).toEqual([])
})

test('a bad timeout of close is refused and closes nothing', async () => {
  const { open } = await onBroker()
  const consumer = await open()
  const refused = consumer.close({ timeoutMs: -1 })
  await expect(refused).rejects.toMatchObject({ code: 'config_invalid', field: 'timeoutMs' })
  expect(consumer.inspect().state).toBe('open')
  await consumer.close()
})
