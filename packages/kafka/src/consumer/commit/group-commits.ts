import type { Cluster } from '../../cluster/cluster.ts'
import type { PartitionResult } from '../../driver/driver.ts'
import { nextTurn } from '../../driver/time-slices.ts'
import type { CommitEntry, CommitRoute } from './commit-route.ts'
import type { Membership } from '../group/membership.ts'
import type { ConsumerSettings } from '../options.ts'

/** Of one request. To write it, and to read its answer, takes some 10 us an offset. */
const maxOffsets = 1_000

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

  /** In requests of 1,000 offsets at most, between which other work has its turn. */
  async commit(entries: readonly CommitEntry[]): Promise<readonly PartitionResult[]> {
    const results: PartitionResult[] = []
    for (let from = 0; from < entries.length; from += maxOffsets) {
      if (from > 0) await nextTurn()
      for (const result of await this.#commitSome(entries.slice(from, from + maxOffsets))) results.push(result)
    }
    return results
  }

  async #commitSome(entries: readonly CommitEntry[]): Promise<readonly PartitionResult[]> {
    const { cluster, settings, membership } = this.#options
    const { group, instanceId } = settings
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
