import { chmodSync, existsSync, lstatSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { whyUntrusted } from '@sluice/stack/trusted-path'

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
  const cache = given && isAbsolute(given) ? given : join(homedir(), '.cache')
  const path = join(cache, 'sluice', 'compile')
  try {
    // Before anything is made: what is there already may belong to somebody else.
    if (whyUntrusted(path, uid) !== undefined) return undefined
    // `sluice` holds what was fetched too, which servers of another account read.
    make(cache, 0o700)
    make(join(cache, 'sluice'), 0o755)
    make(path, 0o700)
    return isPrivate(path, uid) ? path : undefined
  } catch {
    return undefined
  }
}

function make(path: string, mode: number): void {
  if (!existsSync(path)) mkdirSync(path, { mode })
}

function isPrivate(path: string, uid: number): boolean {
  const stats = lstatSync(path)
  if (!stats.isDirectory() || stats.uid !== uid || whyUntrusted(path, uid) !== undefined) return false
  if ((stats.mode & 0o777) !== 0o700) chmodSync(path, 0o700)
  return true
}
