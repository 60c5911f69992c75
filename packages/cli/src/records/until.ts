import type { Admin, Isolation, OffsetPlace, SurveyOptions } from '@sluice/kafka'
import type { Place } from '../place.ts'

/** The offset before which reading ends, by partition. */
export type Ends = ReadonlyMap<number, number>

/** Where a topic's partitions have this offset, or their first record of this time; else their ends. */
export async function endsAt(
  admin: Admin,
  topic: string,
  place: Extract<Place, { at: 'offset' | 'time' }>,
  options: SurveyOptions & { readonly isolation: Isolation },
): Promise<Ends> {
  const latest = await admin.surveyOffsets([topic], 'latest', options)
  const found = place.at === 'time' ? await admin.surveyOffsets([topic], place.timestampMs, options) : undefined
  const atTime = new Map(found?.offsets.map(({ partition, offset }) => [partition, offset]))
  const ends = latest.offsets.map(({ partition, offset: end }): [number, number] => {
    const wanted = place.at === 'offset' ? place.offset : (atTime.get(partition) ?? -1)
    return [partition, wanted < 0 ? end : Math.min(wanted, end)]
  })
  return new Map(ends)
}

/** `count` offsets before the end of each partition. */
export function lastBefore(ends: Ends, topic: string, count: number): readonly OffsetPlace[] {
  return Array.from(ends, ([partition, end]) => ({ topic, partition, offset: Math.max(0, end - count) }))
}

/** Whether a record is before its partition's end. A partition that was added meanwhile is not meant. */
export function isBefore(ends: Ends) {
  return ({ partition, offset }: { readonly partition: number; readonly offset: number }): boolean =>
    offset < (ends.get(partition) ?? 0)
}

/** Whether all partitions have been read to their ends. */
export function hasReached(ends: Ends, positions: readonly OffsetPlace[]): boolean {
  const isUnread = isBefore(ends)
  return !positions.some(isUnread)
}
