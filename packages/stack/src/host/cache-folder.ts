import { randomUUID } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { folderError, systemErrorCode } from '../errors.ts'
import { identify } from '../machine/identity.ts'
import { canReach, serverAccount } from '../machine/account.ts'
import { whyUntrusted } from '../machine/trusted-path.ts'

const draftPattern = /^draft-(\d+)-/

/** Where what was fetched is kept for every project of this user: a server that runs as somebody else can read it. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const path = env['SLUICE_CACHE_DIR'] ?? join(userCache(env), 'sluice')
  const account = serverAccount()
  // Root runs programs from it, so nobody else may put any there.
  return !account || (canReach(path, account) && whyUntrusted(path) === undefined) ? path : '/var/cache/sluice'
}

function userCache(env: NodeJS.ProcessEnv): string {
  if (env['XDG_CACHE_HOME']) return env['XDG_CACHE_HOME']
  return process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache')
}

/**
 * The folder `name` of the cache, filled by `fill` where it is not there yet. It appears whole or not at all: `fill`
 * works on a draft, which is renamed. When two processes fill it at once, the first one's stays.
 */
export async function cached(name: string, fill: (draft: string) => Promise<void>): Promise<string> {
  const root = cacheFolder()
  const path = join(root, name)
  if (existsSync(path)) return path
  const draft = join(root, `draft-${process.pid}-${randomUUID()}`)
  try {
    mkdirSync(draft, { recursive: true, mode: 0o755 })
    removeAbandonedDrafts(root)
    await fill(draft)
    makeReadable(draft)
    renameDraft(draft, path)
  } catch (error) {
    throw folderError(root, error)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return path
}

function renameDraft(draft: string, path: string): void {
  try {
    renameSync(draft, path)
  } catch (error) {
    const code = systemErrorCode(error)
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error
  }
}

function makeReadable(path: string): void {
  const isFolder = statSync(path).isDirectory()
  chmodSync(path, isFolder ? 0o755 : (statSync(path).mode & 0o111) === 0 ? 0o644 : 0o755)
  if (isFolder) for (const name of readdirSync(path)) makeReadable(join(path, name))
}

function removeAbandonedDrafts(root: string): void {
  for (const name of readdirSync(root)) {
    const owner = draftPattern.exec(name)?.[1]
    if (owner === undefined) continue
    if (!identify(Number(owner))) rmSync(join(root, name), { recursive: true, force: true })
  }
}
