import type { Admin } from '@sluice/kafka'
import type { Place } from '../place.ts'
import { resolveOffset } from './reset-plan.ts'
import { sizesOf } from './topics.ts'

/** What is to be deleted at the start of a partition. */
export interface Trimming {
  readonly partition: number
  /** Where the log starts now. */
  readonly start: number
  /** Where it starts afterwards. */
  readonly before: number
  readonly records: number
}

/** What would go of these partitions, else of all. A place outside the log is brought to its nearer end. */
export async function planTrim(
  admin: Admin,
  topic: string,
  partitions: readonly number[] | undefined,
  place: Place,
): Promise<readonly Trimming[]> {
  const [sized] = await sizesOf(admin, [topic])
  const atTime = place.at === 'time' ? await admin.offsets([topic], place.timestampMs) : []
  const offsetAtTime = new Map(atTime.map(({ partition, offset }) => [partition, offset]))
  return sized!.partitions.flatMap(({ partition, start, end }): Trimming[] => {
    if (partitions !== undefined && !partitions.includes(partition)) return []
    const before = resolveOffset(place, { start, end, committed: undefined, atTime: offsetAtTime.get(partition) })
    return before === undefined || before <= start ? [] : [{ partition, start, before, records: before - start }]
  })
}
