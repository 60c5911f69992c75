import { ManualClock } from '@sluice/flow'
import { expect, test } from 'vitest'
import { Cluster } from '../cluster/cluster.ts'
import type { Driver } from '../driver/driver.ts'
import { Admin } from './admin.ts'
import type { AdminCallOptions } from './options.ts'

const calls: Readonly<Record<string, (admin: Admin, options: AdminCallOptions) => Promise<unknown>>> = {
  listTopics: (admin, options) => admin.listTopics(options),
  describeTopics: (admin, options) => admin.describeTopics(['orders'], options),
  setProducerQuota: (admin, options) => admin.setProducerQuota('app', 1_000, options),
  listGroups: (admin, options) => admin.listGroups(options),
  describeGroups: (admin, options) => admin.describeGroups(['billing'], options),
}

/** Of a cluster that never answers. */
function open() {
  const clock = new ManualClock()
  const silent = (): Promise<never> => new Promise(() => {})
  const admin = { alterClientQuota: silent, describeTopicConfigs: silent } as unknown as Driver['admin']
  const driver = { metadata: silent, findCoordinator: silent, admin } as unknown as Driver
  const cluster = new Cluster({ driver, clock, coordinatorTimeoutMs: 60_000, metadataMaxAgeMs: 1e9 })
  return { clock, admin: new Admin(cluster, clock) }
}

test.each(Object.keys(calls))('%s ends within its timeoutMs, and says that it did', async (name) => {
  const { clock, admin } = open()
  const ended = calls[name]!(admin, { timeoutMs: 1_500 }).catch((error: unknown) => error)
  await clock.advanceAsync(1_499)
  expect(await Promise.race([ended, Promise.resolve('waits')])).toBe('waits')
  await clock.advanceAsync(1)
  expect(await ended).toMatchObject({ code: 'cluster_timed_out', timeoutMs: 1_500 })
})

test.each(Object.keys(calls))('%s ends with its signal', async (name) => {
  const { admin } = open()
  const stop = new AbortController()
  const ended = calls[name]!(admin, { signal: stop.signal }).catch((error: unknown) => error)
  stop.abort(new Error('enough'))
  expect(await ended).toMatchObject({ message: 'enough' })
})
