import { chmodSync, existsSync, lstatSync, mkdirSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'

/**
 * The folder of Node's compile cache, made where it is not there: one that this user alone can write to, since Node
 * runs what it finds there. Undefined where there is no such folder: then nothing is cached.
 */
export function compileCacheFolder(
  env: NodeJS.ProcessEnv,
  uid: number | undefined = process.getuid?.(),
): string | undefined {
  if (uid === undefined) return undefined
  const given = env['XDG_CACHE_HOME']
  try {
    const cache = given && isAbsolute(given) ? given : join(realpathSync(homedir()), '.cache')
    // Before anything is made: what is there already may belong to somebody else. `sluice` holds what was fetched too,
    // which servers of another account read.
    if (!isSafe(dirname(cache), uid)) return undefined
    make(cache, 0o700)
    const shared = join(realpathSync(cache), 'sluice')
    if (!isSafe(dirname(shared), uid)) return undefined
    make(shared, 0o755)
    const path = join(shared, 'compile')
    if (!isSafe(shared, uid)) return undefined
    make(path, 0o700)
    return isPrivate(path, uid) ? path : undefined
  } catch {
    return undefined
  }
}

function make(path: string, mode: number): void {
  if (!existsSync(path)) mkdirSync(path, { mode })
}

/** Whether no other user could put something else in the place of `path` or of a folder above it. */
function isSafe(path: string, uid: number): boolean {
  const stats = lstatSync(path)
  if (!stats.isDirectory() || (stats.uid !== 0 && stats.uid !== uid)) return false
  // In a sticky folder such as /tmp others can make entries, but not replace ours.
  const isSticky = (stats.mode & 0o1000) !== 0
  const isGroupOpen = uid === 0 && stats.gid !== 0 && (stats.mode & 0o020) !== 0
  if (!isSticky && ((stats.mode & 0o002) !== 0 || isGroupOpen)) return false
  return path === dirname(path) || isSafe(dirname(path), uid)
}

function isPrivate(path: string, uid: number): boolean {
  const stats = lstatSync(path)
  if (!stats.isDirectory() || stats.uid !== uid) return false
  if ((stats.mode & 0o777) !== 0o700) chmodSync(path, 0o700)
  return true
}
