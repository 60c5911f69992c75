import { type Stats, lstatSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/**
 * Why another user could decide what is found under `path`, as a clause for people; undefined where none could. Every
 * folder from the root down must belong to root or to us, and no other user may rename what is in it (a sticky folder
 * such as /tmp forbids that). A link counts as well as what it leads to. What does not exist yet is ours to make.
 */
export function whyUntrusted(path: string, uid: number | undefined = process.getuid?.()): string | undefined {
  if (uid === undefined) return undefined
  const last = resolve(path)
  for (let current = last; ; current = dirname(current)) {
    const stats = lstatSync(current, { throwIfNoEntry: false })
    const why = stats && whyUnsafe(current, stats, uid, current === last)
    if (why !== undefined) return why
    if (current === dirname(current)) return undefined
  }
}

/** Whether a file or folder belongs to root or to us. */
export function isOurs({ uid }: Pick<Stats, 'uid'>, self: number | undefined = process.getuid?.()): boolean {
  return self === undefined || uid === 0 || uid === self
}

function whyUnsafe(path: string, stats: Stats, uid: number, isLast: boolean): string | undefined {
  if (!isOurs(stats, uid)) return `${path} belongs to another user (uid ${stats.uid})`
  if (stats.isSymbolicLink()) return whyUnsafeTarget(path, uid)
  if (!stats.isDirectory()) return undefined
  // In a sticky folder others can make entries, but not replace ours.
  const isSticky = (stats.mode & 0o1000) !== 0 && !isLast
  // A user's own group is often a group of one; root answers for everybody.
  const isGroupOpen = uid === 0 && stats.gid !== 0 && (stats.mode & 0o020) !== 0
  if (!isSticky && ((stats.mode & 0o002) !== 0 || isGroupOpen)) return `other users can write to ${path}`
  return undefined
}

function whyUnsafeTarget(link: string, uid: number): string | undefined {
  try {
    return whyUntrusted(realpathSync(link), uid)
  } catch {
    return `${link} is a link that leads nowhere`
  }
}
