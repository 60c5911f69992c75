import { type Stats, chmodSync, lchownSync, lstatSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Account } from '../machine/account.ts'

/**
 * Hands a file, or a folder with all that is in it, to an account (undefined: to us) for it alone. The folder that it is
 * in must be ours, so that nobody can put a link in its place meanwhile. A link is handed over itself, never its target.
 */
export function handOver(path: string, account: Account | undefined): void {
  const owner = account ?? ourselves()
  const stats = lstatSync(path)
  if (!owner || stats.uid === owner.uid) restrict(path, stats)
  else if (owner.uid === 0) takeBack(path, stats)
  else give(path, stats, owner)
}

function ourselves(): Pick<Account, 'uid' | 'gid'> | undefined {
  const [uid, gid] = [process.getuid?.(), process.getgid?.()]
  return uid === undefined || gid === undefined ? undefined : { uid, gid }
}

/** From within outwards: as long as the outer folder is ours, nobody can move what is in it. */
function give(path: string, stats: Stats, owner: Pick<Account, 'uid' | 'gid'>): void {
  restrict(path, stats)
  if (stats.isDirectory()) {
    for (const name of readdirSync(path)) {
      const inner = join(path, name)
      const innerStats = lstatSync(inner)
      if (innerStats.uid !== owner.uid) give(inner, innerStats, owner)
    }
  }
  lchownSync(path, owner.uid, owner.gid)
}

/** From without inwards: once the outer folder is ours, nobody can move what is in it. No server makes links. */
function takeBack(path: string, stats: Stats): void {
  if (stats.isSymbolicLink()) return rmSync(path)
  lchownSync(path, 0, 0)
  restrict(path, stats)
  if (!stats.isDirectory()) return
  for (const name of readdirSync(path)) takeBack(join(path, name), lstatSync(join(path, name)))
}

function restrict(path: string, stats: Stats): void {
  if (!stats.isSymbolicLink()) chmodSync(path, stats.isDirectory() ? 0o700 : 0o600)
}
