import { closeSync, constants, fchmodSync, fchownSync, fstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import type { Account } from './account.ts'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = constants

/**
 * Makes a new file in the place of whatever had its name, and returns a descriptor to write and read it. A link that
 * somebody else has put there is removed, and never followed, also where it comes back at this moment: then it fails.
 */
export function openNew(path: string, mode: number): number {
  rmSync(path, { force: true })
  return openSync(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
}

/** Writes a new file that only `account` can read; undefined: only we. The folders above it must be ours. */
export function writeFor(account: Account | undefined, path: string, content: string | Uint8Array): void {
  const fd = openNew(path, 0o600)
  try {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
    if (account) fchownSync(fd, account.uid, account.gid)
  } finally {
    closeSync(fd)
  }
}

/**
 * Opens a file that `account` has written in a folder of its own. What is not such a file is refused: a link, or a second
 * name of a file that the account itself could not read.
 */
function openFrom(account: Account | undefined, path: string): number {
  const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  const stats = fstatSync(fd)
  const owner = account?.uid ?? process.getuid?.() ?? stats.uid
  if (stats.isFile() && stats.nlink === 1 && stats.uid === owner) return fd
  closeSync(fd)
  throw new Error(`${path} is not a file of the account that was to write it`)
}

/** The content of a small file that `account` has written in a folder of its own. @throws Error where it is not such a file */
export function readFrom(account: Account | undefined, path: string): Uint8Array {
  const fd = openFrom(account, path)
  try {
    const bytes = Buffer.alloc(fstatSync(fd).size)
    return bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0))
  } finally {
    closeSync(fd)
  }
}

/** Copies a file that `account` has written to a new file of ours that all may read. @throws Error as `readFrom` does */
export function copyFrom(account: Account | undefined, source: string, target: string): void {
  const from = openFrom(account, source)
  try {
    const to = openNew(target, 0o644)
    try {
      copyAll(from, to)
      fchmodSync(to, 0o644)
    } finally {
      closeSync(to)
    }
  } finally {
    closeSync(from)
  }
}

function copyAll(from: number, to: number): void {
  const chunk = Buffer.allocUnsafe(1024 * 1024)
  for (let size = readSync(from, chunk); size > 0; size = readSync(from, chunk)) {
    for (let at = 0; at < size;) at += writeSync(to, chunk, at, size - at)
  }
}
