import { expect, test } from 'vitest'
import type { Cluster } from '../../cluster/cluster.ts'
import type { CommitRequest } from '../../driver/driver.ts'
import type { CommitEntry } from './commit-route.ts'
import { GroupCommits } from './group-commits.ts'
import type { Membership } from '../group/membership.ts'
import type { ConsumerSettings } from '../options.ts'
import { AssignedPartition } from '../partition.ts'
import { letters } from '../testing/open-session.ts'

test('a commit whose coordinator is looked up slowly leaves out the partitions that were lost meanwhile', async () => {
  const found = Promise.withResolvers<unknown>()
  const sent: CommitRequest[] = []
  const commitOffsets = async (_: unknown, request: CommitRequest) => {
    sent.push(request)
    return request.offsets.map(({ topic, partition }) => ({ topic, partition, errorCode: 0 }))
  }
  const cluster = { coordinator: () => found.promise, driver: { commitOffsets } } as unknown as Cluster
  const membership = { memberId: 'm', epoch: 1 }
  const commits = new GroupCommits({
    cluster,
    settings: { group: 'g', instanceId: null } as unknown as ConsumerSettings,
    membership: membership as unknown as Membership,
  })
  const entries = [0, 1].map((partition): CommitEntry => {
    const owner = new AssignedPartition(letters, 'id', partition, 1)
    return { owner, topic: 'letters', partition, offset: 7, leaderEpoch: -1, metadata: '', revision: 1 }
  })
  const committing = commits.commit(entries)
  // The member was fenced, has joined again, and got one of them back under another incarnation.
  for (const { owner } of entries.slice(0, 1)) owner.phase = 'released'
  membership.epoch = 2
  found.resolve({})
  expect(await committing).toEqual([{ topic: 'letters', partition: 1, errorCode: 0 }])
  expect(sent.map(({ memberEpoch, offsets }) => [memberEpoch, offsets.map(({ partition }) => partition)])).toEqual([
    [2, [1]],
  ])
  for (const { owner } of entries) owner.phase = 'released'
  expect(await commits.commit(entries)).toEqual([])
  expect(sent).toHaveLength(1)
})

test('a commit of thousands of partitions goes a thousand at a time, and says what became of each', async () => {
  const sizes: number[] = []
  const commitOffsets = async (_: unknown, { offsets }: CommitRequest) => {
    sizes.push(offsets.length)
    return offsets.map(({ topic, partition }) => ({ topic, partition, errorCode: partition === 2_400 ? 29 : 0 }))
  }
  const cluster = { coordinator: async () => ({}), driver: { commitOffsets } } as unknown as Cluster
  const commits = new GroupCommits({
    cluster,
    settings: { group: 'g', instanceId: null } as unknown as ConsumerSettings,
    membership: { memberId: 'm', epoch: 1 } as unknown as Membership,
  })
  const entries = Array.from({ length: 2_500 }, (_, partition): CommitEntry => {
    const owner = new AssignedPartition(letters, 'id', partition, 1)
    return { owner, topic: 'letters', partition, offset: 7, leaderEpoch: -1, metadata: '', revision: 1 }
  })
  const results = await commits.commit(entries)
  expect(sizes).toEqual([1_000, 1_000, 500])
  expect(results.map(({ partition }) => partition)).toEqual(entries.map(({ partition }) => partition))
  expect(results.filter(({ errorCode }) => errorCode !== 0)).toMatchObject([{ partition: 2_400 }])
})
