import { existsSync, lstatSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StackError, folderError, systemErrorCode } from '../errors.ts'
import { isOurs, whyUntrusted } from '../machine/trusted-path.ts'

/** The file by which a data folder is known as one that a stack has made: in any other nothing is changed. */
const marker = '.sluice-data'
/** A folder from before there were markers has a lock. */
const lock = /^lock\.\d+$/

/** Makes a data folder, or marks an empty one. Throws `folder_unusable` for one that is in use for something else. */
export function claimFolder(path: string): void {
  try {
    refuseUntrustedFolder(path)
    // One look: somebody else may be marking it at this moment.
    const entries = entriesOf(path)
    if (entries !== undefined && isMarked(entries)) return
    if (entries !== undefined && entries.length > 0) throw foreignFolder(path)
    mkdirSync(path, { recursive: true, mode: 0o755 })
    // Somebody else may have been quicker to make it.
    refuseUntrustedFolder(path)
    writeNew(join(path, marker), 'The data of a Sluice stack: `sluice down --clean` removes it.\n')
    if (!existsSync(join(path, '.gitignore'))) writeNew(join(path, '.gitignore'), '*\n')
  } catch (error) {
    throw folderError(path, error)
  }
}

/** By one of several that mark the folder at once. */
function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx' })
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error
  }
}

/**
 * Throws `folder_unusable` for a data folder that belongs to another user, who could lead what we write there to other
 * files. As root, who answers for all files, no folder above it may be of another user either.
 */
export function refuseUntrustedFolder(path: string): void {
  const why = process.getuid?.() === 0 ? whyUntrusted(path) : whyNotOurs(path)
  if (why === undefined) return
  throw new StackError(
    'folder_unusable',
    `the data folder ${path} cannot be trusted: ${why}`,
    'run this as the user who owns the folder, or set SLUICE_DATA_DIR to a folder that only you can write to',
    { facts: { path } },
  )
}

function whyNotOurs(path: string): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats && !isOurs(stats) ? `it belongs to another user (uid ${stats.uid})` : undefined
}

/** Whether a stack has made this folder. False where there is none, or an empty one. */
export function isStackFolder(path: string): boolean {
  return isMarked(entriesOf(path) ?? [])
}

/** Throws `folder_unusable` for a folder that has something in it and that no stack has made. */
export function refuseForeignFolder(path: string): void {
  const entries = entriesOf(path) ?? []
  if (entries.length > 0 && !isMarked(entries)) throw foreignFolder(path)
}

function isMarked(entries: readonly string[]): boolean {
  return entries.some((name) => name === marker || lock.test(name))
}

function entriesOf(path: string): string[] | undefined {
  try {
    return readdirSync(path)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw folderError(path, error)
  }
}

function foreignFolder(path: string): StackError {
  return new StackError(
    'folder_unusable',
    `${path} holds something that is not of a stack`,
    'set SLUICE_DATA_DIR to a new or an empty folder',
    { facts: { path } },
  )
}
