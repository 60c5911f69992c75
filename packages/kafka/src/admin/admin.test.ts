import { ManualClock } from '@sluice/flow'
import { describe, expect, test } from 'vitest'
import type { Cluster } from '../cluster/cluster.ts'
import { Admin } from './admin.ts'

/** None of these calls comes as far as the cluster. */
const admin = new Admin({} as unknown as Cluster, new ManualClock())
const bad = { timeoutMs: 0 }

describe('an admin call with an argument that makes no sense is rejected, not thrown', () => {
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    createTopics: () => admin.createTopics([], bad),
    deleteTopics: () => admin.deleteTopics([], bad),
    committedOffsets: () => admin.committedOffsets('g', bad),
    offsets: () => admin.offsets([], 'latest', bad),
    lag: () => admin.lag('g', bad),
  }
  test.each(Object.entries(calls))('%s', async (_, call) => {
    await expect(call()).rejects.toMatchObject({ code: 'config_invalid', field: 'timeoutMs' })
  })

  test('offsets at no time', async () => {
    await expect(admin.offsets([], -1)).rejects.toMatchObject({ code: 'config_invalid', field: 'at' })
  })

  test('a signal that is aborted already', async () => {
    const call = admin.lag('g', { signal: AbortSignal.abort(new Error('enough')) })
    await expect(call).rejects.toThrow('enough')
  })
})
