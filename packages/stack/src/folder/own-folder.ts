import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StackError, folderError, systemErrorCode } from '../errors.ts'

/** The file by which a data folder is known as one that a stack has made: in any other nothing is changed. */
const marker = '.sluice-data'
/** A folder from before there were markers has a lock. */
const lock = /^lock\.\d+$/

/** Makes a data folder, or marks an empty one. Throws `folder_unusable` for one that is in use for something else. */
export function claimFolder(path: string): void {
  try {
    // One look: somebody else may be marking it at this moment.
    const entries = entriesOf(path)
    if (entries !== undefined && isMarked(entries)) return
    if (entries !== undefined && entries.length > 0) throw foreignFolder(path)
    mkdirSync(path, { recursive: true, mode: 0o755 })
    writeFileSync(join(path, marker), 'The data of a Sluice stack: `sluice down --clean` removes it.\n')
    if (!existsSync(join(path, '.gitignore'))) writeFileSync(join(path, '.gitignore'), '*\n')
  } catch (error) {
    throw folderError(path, error)
  }
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
