/**
 * A group's first commits of a topic say how many partitions it had when the group began, behind the offset map, while
 * others of them may still have no commit: who joins meanwhile could not tell those from partitions that were added.
 */
const mark = ',of='
const ours = 'sluice1:'

/** The longest that it makes the metadata of a commit. */
export const maxOriginLength = ours.length + mark.length + 6

/** @param origin -1: none */
export function withOrigin(offsetMap: string, origin: number): string {
  return origin < 0 ? offsetMap : `${offsetMap === '' ? ours : offsetMap}${mark}${origin}`
}

/** -1: the metadata does not say. */
export function originOf(metadata: string): number {
  const at = metadata.startsWith(ours) ? metadata.indexOf(mark) : -1
  const told = at < 0 ? '' : metadata.slice(at + mark.length)
  return /^\d{1,6}$/.test(told) ? Number(told) : -1
}

export function withoutOrigin(metadata: string): string {
  const at = metadata.indexOf(mark)
  return at < 0 ? metadata : metadata.slice(0, at)
}
