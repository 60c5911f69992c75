import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { systemErrorCode } from '../errors.ts'

/** The user that servers run as when we are root: PostgreSQL refuses root, and no server needs it. */
export interface Account {
  readonly name: string
  /** Of the user. */
  readonly uid: number
  /** Of the user's group. */
  readonly gid: number
}

/** The unprivileged account of this machine when we are root, undefined when we are not. */
export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync('/usr/bin/id', [flag, 'nobody'], { encoding: 'utf8' }).trim())
  return { name: 'nobody', uid: id('-u'), gid: id('-g') }
}

/** Whether the account may pass through every folder above `path` and, where it exists, use `path` itself. */
export function canReach(path: string, account: Account | undefined): boolean {
  if (!account) return true
  for (let current = path; ; current = dirname(current)) {
    if (!mayEnter(current, account)) return false
    if (current === dirname(current)) return true
  }
}

function mayEnter(path: string, account: Account): boolean {
  try {
    const { mode, uid, gid } = statSync(path)
    if (uid === account.uid) return (mode & 0o100) !== 0
    if (gid === account.gid) return (mode & 0o010) !== 0
    return (mode & 0o001) !== 0
  } catch (error) {
    // What is not there yet will be made by us, readable.
    return systemErrorCode(error) === 'ENOENT'
  }
}
