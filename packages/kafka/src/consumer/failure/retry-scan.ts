import type { Clock } from '@sluice/flow'
import { Deadline } from '../../admin/deadline.ts'
import { offsetsAt } from '../../admin/find-offsets.ts'
import { limitsOfCopies } from '../../batch/decode.ts'
import { type DecodeLimits } from '../../batch/decoded.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import type { OffsetRange } from '../commit/tracker.ts'
import { Tracker } from '../commit/tracker.ts'
import type { AssignedPartition } from '../partition.ts'
import type { Isolation } from '../../driver/driver.ts'
import { Reader } from '../../reader/reader.ts'
import { rawTopic } from '../../record/topic.ts'
import type { RetryBacklog } from './retry-backlog.ts'
import { readRetry } from '../../failure/retry-record.ts'

export interface RetryScanOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  /** The partition whose records wait. */
  readonly of: AssignedPartition
  readonly backlog: RetryBacklog
  /** From here, without what is finished beyond. */
  readonly offset: number
  readonly finished: readonly OffsetRange[]
  /** What the consumer cannot read is not waited for. */
  readonly limits: DecodeLimits
}

/** Notes whose records wait in a retry partition, from its commit to the end that it has now. */
export async function scanRetries(options: RetryScanOptions): Promise<void> {
  const { cluster, clock, of, backlog, offset, finished, limits } = options
  const { topicName, partition } = backlog.partition
  const tracker = new Tracker(offset, finished)
  await awaitStable(cluster, clock, backlog.partition)
  const from = { offsets: [{ topic: topicName, partition, offset }] }
  await using reader = await Reader.open(
    cluster,
    { topics: [rawTopic(topicName)], from, ...limitsOfCopies(limits) },
    clock,
  )
  backlog.clear()
  let end = offset
  for await (const record of reader) {
    end = record.offset + 1
    if (tracker.wasFinished(record.offset)) continue
    // The key is a view into what was fetched; the backlog makes a text of it.
    backlog.add(record.key)
    const facts = readRetry(record.headers)
    if (facts?.topicId === of.topicId && facts.partition === of.partition) backlog.keep(facts.offset)
    if (!of.isLive) return
  }
  backlog.scanned(end)
}

/**
 * A predecessor's transaction may have committed what it wrote here and be visible only in a moment: the brokers write
 * the marks of a transaction one after the other, and its offsets were read already.
 */
async function awaitStable(cluster: Cluster, clock: Clock, one: AssignedPartition): Promise<void> {
  const place = { topic: one.topicName, partition: one.partition }
  const endOf = async (isolation: Isolation): Promise<number> => {
    const [end] = await offsetsAt(cluster, [place], 'latest', isolation, new Deadline(clock, {}))
    return end!.offset
  }
  const end = await endOf('read_uncommitted')
  while (one.isLive && (await endOf('read_committed')) < end) await clock.sleep(50)
}
