import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { StackError, folderError } from '../errors.ts'
import { type Account, canReach, serverAccount } from '../machine/account.ts'
import { isOurs, whyUntrusted } from '../machine/trusted-path.ts'
import { FolderLock } from './folder-lock.ts'
import { handOver } from './hand-over.ts'
import { readJson, writeJson } from './json-file.ts'
import { claimFolder, isStackFolder, refuseForeignFolder } from './own-folder.ts'
import { writeFor } from '../machine/safe-file.ts'

const temporaryPrefix = 'sluice-stack-'
/** What a stack and the applications in it keep in its data folder; `clean` removes these and nothing else. */
const ownEntries = [
  'kafka',
  'kafka-ca.pem',
  'postgres',
  'redis',
  'logs',
  'status.json',
  'secrets.json',
  'ports.json',
  'ledger',
  'consumer-state',
]

/** Where the data of this project's servers is: `SLUICE_DATA_DIR`, else `.sluice` in the folder of the project. */
export function projectDataDir(cwd: string = process.cwd(), env: NodeJS.ProcessEnv = process.env): string {
  const account = serverAccount()
  if (env['SLUICE_DATA_DIR']) return reachableFor(account, resolve(cwd, env['SLUICE_DATA_DIR']))
  const wanted = join(projectFolder(cwd), '.sluice')
  // What another user has made is refused when it is to be used, not passed over in silence.
  if (!account || isOfAnother(wanted)) return wanted
  return reachableFor(whyUntrusted(dirname(wanted)) === undefined ? account : 'distrusted', wanted)
}

function isOfAnother(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats !== undefined && !isOurs(stats)
}

/**
 * As root the servers run as somebody else, who may not be able to reach the folder; and in the project of another user
 * root writes nothing. Then the data is kept elsewhere.
 */
function reachableFor(account: Account | undefined | 'distrusted', wanted: string): string {
  if (account !== 'distrusted' && canReach(dirname(wanted), account)) return wanted
  const digest = createHash('sha256').update(wanted).digest('hex').slice(0, 8)
  return join('/var/lib/sluice', `${basename(dirname(wanted))}-${digest}`)
}

/**
 * The folder of the project: the one under version control, else the one with a package.json. Data counts where it is
 * in that folder or nearer; what is further up, as in a home folder, counts only where there is no project at all.
 */
function projectFolder(cwd: string): string {
  const data = nearest('.sluice', cwd)
  const project = nearest('.git', cwd) ?? nearest('package.json', cwd)
  // Both are above us or where we are: the longer path is the nearer one.
  if (project !== undefined && (data === undefined || data.length < project.length)) return project
  return data ?? resolve(cwd)
}

/** The nearest folder upwards in which there is an entry of that name. */
function nearest(name: string, cwd: string): string | undefined {
  for (let current = resolve(cwd); ; current = dirname(current)) {
    if (existsSync(join(current, name))) return current
    if (current === dirname(current)) return undefined
  }
}

/** The servers' account must be able to pass through the data folder, though not to read it. */
function letPass(path: string, account: Account | undefined): void {
  if (canReach(path, account)) return
  if (!canReach(dirname(path), account)) {
    throw new StackError(
      'folder_unusable',
      `as root the servers run as ${account?.name}, who cannot reach ${path}`,
      'choose a data folder outside of private folders such as /root, or run it as another user',
      { facts: { path } },
    )
  }
  chmodSync(path, (statSync(path).mode & 0o777) | 0o011)
}

/** Whose files are: those of an account; undefined: ours. */
interface Owner {
  readonly account: Account | undefined
}

/** The folder of one running stack. It is held by at most one process. */
export class DataFolder {
  readonly path: string
  readonly temporary: boolean
  /** Who the servers run as; undefined: as we do. */
  readonly account: Account | undefined
  readonly #lock: FolderLock

  private constructor(path: string, temporary: boolean, account: Account | undefined) {
    this.path = path
    this.temporary = temporary
    this.account = account
    this.#lock = FolderLock.acquire(path)
    // What an earlier holder has written there would pass for ours.
    rmSync(join(path, 'status.json'), { force: true })
  }

  /** Opens the folder of a project, and makes it where it is not there. One that no stack has made is refused. */
  static open(path: string): DataFolder {
    try {
      claimFolder(path)
      const account = serverAccount()
      letPass(path, account)
      return new DataFolder(path, false, account)
    } catch (error) {
      throw folderError(path, error)
    }
  }

  /** Makes a folder that is removed at the end. Ones whose owners were killed are removed now. */
  static temporary(): DataFolder {
    const account = serverAccount()
    const parent =
      [tmpdir(), '/tmp', '/var/tmp'].find((path) => existsSync(path) && canReach(path, account)) ?? tmpdir()
    try {
      removeAbandoned(parent)
      const path = mkdtempSync(join(parent, temporaryPrefix))
      chmodSync(path, 0o755)
      return new DataFolder(path, true, account)
    } catch (error) {
      throw folderError(parent, error)
    }
  }

  /** Whether it is still ours: not once somebody has removed it. */
  get isHeld(): boolean {
    return this.#lock.isHeld
  }

  file(name: string): string {
    return join(this.path, name)
  }

  /** A folder of ours with folders of servers in it: they may pass through it and change nothing in it. */
  passage(...names: readonly string[]): string {
    for (const count of names.keys()) {
      const path = this.#make(names.slice(0, count + 1))
      if (!this.account) continue
      lchownSync(path, 0, 0)
      chmodSync(path, 0o711)
    }
    return join(this.path, ...names)
  }

  /** A folder of one server, such as `kafka/node-1`: it belongs to the account that runs it, and only that can read it. */
  serverFolder(name: string, { account }: Owner = this): string {
    const names = name.split('/')
    this.passage(...names.slice(0, -1))
    const path = this.#make(names)
    handOver(path, account)
    return path
  }

  /** Writes a file that only the servers' account can read. */
  writeForServers(path: string, text: string, { account }: Owner = this): void {
    try {
      writeFor(account, path, text)
    } catch (error) {
      throw folderError(path, error)
    }
  }

  #make(names: readonly string[]): string {
    const path = join(this.path, ...names)
    try {
      if (!existsSync(path)) mkdirSync(path, { mode: 0o700 })
    } catch (error) {
      throw folderError(path, error)
    }
    if (lstatSync(path).isDirectory()) return path
    throw new StackError('folder_unusable', `${path} is not a folder`, 'remove it: no stack has made it', {
      facts: { path },
    })
  }

  /** Which ports a server should have, the best first: the one it had, then its usual one. Temporary ones: any. */
  preferredPorts(server: string, usual: number): number[] {
    if (this.temporary) return []
    const before = readJson<Record<string, number>>(this.file('ports.json'))?.[server]
    return before === undefined ? [usual] : [before, usual]
  }

  rememberPort(server: string, port: number): void {
    const path = this.file('ports.json')
    writeJson(path, { ...readJson<Record<string, number>>(path), [server]: port })
  }

  /** Removes all data of the servers; whatever else is in the folder stays. */
  clean(): void {
    removeData(this.path)
  }

  /** Gives the folder free; a temporary one is removed. */
  close(): void {
    if (this.temporary) rmSync(this.path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
    else this.#lock.release()
  }
}

/** Removes all data of the servers from a folder that nobody holds. One that no stack has made is refused. */
export function cleanDataDir(path: string): void {
  refuseForeignFolder(path)
  if (!isStackFolder(path)) return
  const folder = DataFolder.open(path)
  try {
    folder.clean()
  } finally {
    folder.close()
  }
}

function removeData(path: string): void {
  for (const name of ownEntries)
    rmSync(join(path, name), { recursive: true, force: true, maxRetries: 3, retryDelay: 50 })
}

function removeAbandoned(parent: string): void {
  const minimumAgeMs = 60_000
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(temporaryPrefix)) continue
    const path = join(parent, name)
    const stats = lstatSync(path, { throwIfNoEntry: false })
    if (!stats?.isDirectory() || stats.uid !== process.getuid?.()) continue
    // One that was only just made may not have its lock yet.
    if (Date.now() - stats.mtimeMs < minimumAgeMs || FolderLock.holder(path)) continue
    rmSync(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 })
  }
}
