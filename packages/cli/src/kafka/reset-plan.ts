import type { Admin } from '@sluice/kafka'
import type { Place } from '../place.ts'
import { isSelected, type Selection } from '../selection.ts'

/** Where a group's offset of a partition is to go. */
export interface OffsetChange {
  readonly topic: string
  readonly partition: number
  /** Null: nothing is committed. */
  readonly from: number | null
  readonly to: number
}

/** A place, or a number of records forward (or back) from what is committed. */
export type Target = Place | { readonly at: 'shift'; readonly by: number }

/** What a reset would change. Targets outside the log are brought to its nearer end. */
export async function planReset(
  admin: Admin,
  group: string,
  selected: readonly Selection[],
  target: Target,
): Promise<readonly OffsetChange[]> {
  const topics = [...new Set(selected.map(({ topic }) => topic))]
  const committed = byPlace(await admin.committedOffsets(group))
  const starts = byPlace(await admin.offsets(topics, 'earliest'))
  // What lies behind an open transaction may still come: a group must not be set past it.
  const ends = await admin.offsets(topics, 'latest', { isolation: 'read_committed' })
  const atTime = target.at === 'time' ? byPlace(await admin.offsets(topics, target.timestampMs)) : undefined
  return ends.filter(isSelected(selected)).flatMap(({ topic, partition, offset: end }): OffsetChange[] => {
    const key = `${topic}/${partition}`
    const place = { start: starts.get(key) ?? 0, end, committed: committed.get(key), atTime: atTime?.get(key) }
    const to = resolveOffset(target, place)
    return to === undefined ? [] : [{ topic, partition, from: place.committed ?? null, to }]
  })
}

/** A partition's log, and what is known of it. */
interface Bounds {
  readonly start: number
  readonly end: number
  readonly committed: number | undefined
  readonly atTime: number | undefined
}

/** Brought to the nearer end of the log. Undefined: there is nothing to shift. */
export function resolveOffset(target: Target, { start, end, committed, atTime }: Bounds): number | undefined {
  const within = (offset: number): number => Math.min(Math.max(offset, start), Math.max(start, end))
  switch (target.at) {
    case 'earliest':
      return start
    case 'latest':
      return within(end)
    case 'offset':
      return within(target.offset)
    case 'last':
      return within(end - target.count)
    case 'time':
      return within(atTime === undefined || atTime < 0 ? end : atTime)
    case 'shift':
      return committed === undefined ? undefined : within(committed + target.by)
  }
}

function byPlace(
  offsets: ReadonlyArray<{ readonly topic: string; readonly partition: number; readonly offset: number }>,
): ReadonlyMap<string, number> {
  return new Map(offsets.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]))
}
