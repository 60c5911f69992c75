import type { Cluster } from '../cluster/cluster.ts'
import type { PartitionResult } from '../driver/driver.ts'
import { turnBetween } from '../driver/time-slices.ts'
import type { CommitEntry, CommitRoute } from './commit-route.ts'
import type { Membership } from './membership.ts'
import type { ConsumerSettings } from './options.ts'

export interface GroupCommitsOptions {
  readonly cluster: Cluster
  readonly settings: ConsumerSettings
  readonly membership: Membership
}

/** Offsets by themselves, to the coordinator of the group. */
export class GroupCommits implements CommitRoute {
  readonly #options: GroupCommitsOptions

  constructor(options: GroupCommitsOptions) {
    this.#options = options
  }

  async commit(entries: readonly CommitEntry[]): Promise<readonly PartitionResult[]> {
    const { cluster, settings, membership } = this.#options
    const { group, instanceId } = settings
    await turnBetween(entries.length)
    const coordinator = await cluster.coordinator('group', group)
    // The group fences members, not partitions: what was lost meanwhile must not be committed under a newer epoch.
    const offsets = entries.filter(({ owner }) => owner.phase !== 'released')
    if (offsets.length === 0) return []
    return await cluster.driver.commitOffsets(coordinator, {
      group,
      memberId: membership.memberId,
      memberEpoch: membership.epoch,
      instanceId,
      offsets,
    })
  }
}
