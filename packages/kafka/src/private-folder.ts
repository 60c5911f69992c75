import { ConfigError } from '@sluice/flow'
import { messageOf } from '@sluice/flow/internal'
import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open } from 'node:fs/promises'

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants
const writableByAll = 0o002
const accessibleToOthers = 0o077
/** Undefined on Windows, where files have no owner of this kind. */
const ownUid = process.getuid?.()

/**
 * Makes the folder, for its owner alone, where there is none.
 * @throws ConfigError where it cannot be used, is a link, belongs to another user than this one or root, or can be
 * written by everybody
 */
export async function requirePrivateFolder(setting: string, folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await checkFolder(folder)
  } catch (error) {
    const allowed = 'a folder of this user, or of root, that this process can write to and not everybody can'
    throw new ConfigError(setting, folder, `${allowed} (${messageOf(error)})`)
  }
}

async function checkFolder(folder: string): Promise<void> {
  const found = await lstat(folder)
  if (!found.isDirectory()) throw new Error('it is not a folder, or it is a link')
  if (ownUid === undefined) return
  const { uid } = found
  if (uid !== ownUid && uid !== 0) throw new Error(`it belongs to user ${uid}, and this process runs as ${ownUid}`)
  if ((found.mode & writableByAll) !== 0) throw new Error('every user can write to it')
}

/** A new file that its owner alone can read. Never follows a link. */
export function createPrivate(path: string): Promise<FileHandle> {
  return open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0o600)
}

/** A file to read. Undefined: it is gone, is a link or no file, or belongs to somebody else. */
export async function openOwn(path: string): Promise<FileHandle | undefined> {
  const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => undefined)
  if (!handle) return undefined
  const found = await handle.stat()
  if (!found.isFile() || (ownUid !== undefined && found.uid !== ownUid)) {
    await handle.close()
    return undefined
  }
  if (ownUid !== undefined && (found.mode & accessibleToOthers) !== 0) await handle.chmod(0o600)
  return handle
}
