import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { StackError, folderError } from './errors.ts'
import { readStatus } from './status-file.ts'
import { kafkaServerIsCached } from './kafka/artefacts.ts'
import { installedPostgres } from './postgres/binaries.ts'
import { serverAccount } from './machine/account.ts'
import { cacheFolder } from './host/cache-folder.ts'
import { findCommand } from './host/commands.ts'
import { findJava } from './host/java.ts'
import { isFree } from './host/ports.ts'

/** One thing that the stack needs or likes to have. */
export interface MachineCheck {
  readonly name: string
  /** ok; `note`: works all the same; `missing`: has to be mended first. */
  readonly verdict: 'ok' | 'note' | 'missing'
  /** What was found. */
  readonly detail: string
  /** What to do, where it is not ok. */
  readonly remedy?: string
}

const neededNode = 24
const neededBytes = 2 * 1024 ** 3
const usualPorts = { Kafka: 9092, PostgreSQL: 5432, Redis: 6379 } as const

/** Looks whether this machine can run the stack with its data in `dataDir`. Starts and changes nothing. */
export async function checkMachine(dataDir: string): Promise<MachineCheck[]> {
  return [
    checkNode(),
    await checkJava(),
    checkMaven(),
    checkPostgresBinaries(),
    checkRedisBinary(),
    ...(await checkPorts(dataDir)),
    checkFolder('data folder', dataDir),
    checkFolder('cache folder', cacheFolder()),
    checkDisk(dataDir),
    checkAccount(),
  ]
}

function checkNode(): MachineCheck {
  const name = 'Node.js'
  if (Number(process.versions.node.split('.')[0]) >= neededNode) return { name, verdict: 'ok', detail: process.version }
  return { name, verdict: 'missing', detail: process.version, remedy: `install Node.js ${neededNode} or newer` }
}

async function checkJava(): Promise<MachineCheck> {
  try {
    const java = await findJava()
    return { name: 'Java', verdict: 'ok', detail: `${java.version.split('\n')[0]}, ${java.command}` }
  } catch (error) {
    if (!(error instanceof StackError)) throw error
    return { name: 'Java', verdict: 'missing', detail: error.message, remedy: error.remedy }
  }
}

function checkMaven(): MachineCheck {
  const name = 'Maven'
  const command = findCommand('mvn')
  if (kafkaServerIsCached()) return { name, verdict: 'ok', detail: 'not needed: Kafka has been fetched' }
  if (command) return { name, verdict: 'ok', detail: `${command}, to fetch Kafka once` }
  const remedy = 'install it (Debian, Ubuntu: `apt install maven`; macOS: `brew install maven`)'
  return { name, verdict: 'missing', detail: 'not found, and Kafka has not been fetched yet', remedy }
}

function checkPostgresBinaries(): MachineCheck {
  const [newest] = installedPostgres()
  const name = 'PostgreSQL'
  if (newest) return { name, verdict: 'ok', detail: `${newest.major}, ${newest.binDir}` }
  return { name, verdict: 'note', detail: 'not installed', remedy: 'it is fetched from npm when it is first needed' }
}

function checkRedisBinary(): MachineCheck {
  const command = findCommand('redis-server') ?? findCommand('valkey-server')
  if (command) return { name: 'Redis', verdict: 'ok', detail: command }
  return {
    name: 'Redis',
    verdict: 'note',
    detail: 'not installed',
    remedy: 'it is fetched from Maven when it is first needed',
  }
}

async function checkPorts(dataDir: string): Promise<MachineCheck[]> {
  if (readStatus(dataDir).state !== 'stopped') return [{ name: 'ports', verdict: 'ok', detail: 'the stack is running' }]
  const checks: MachineCheck[] = []
  for (const [server, port] of Object.entries(usualPorts)) {
    const name = `port ${port}`
    if (await isFree(port)) checks.push({ name, verdict: 'ok', detail: `free for ${server}` })
    else checks.push({ name, verdict: 'note', detail: 'taken', remedy: `${server} will listen on another port` })
  }
  return checks
}

function checkFolder(name: string, path: string): MachineCheck {
  const place = existing(path)
  const probe = join(place, `.sluice-probe-${process.pid}`)
  try {
    mkdirSync(probe)
    writeFileSync(join(probe, 'file'), '')
    return { name, verdict: 'ok', detail: path }
  } catch (error) {
    const cause = folderError(place, error)
    if (!(cause instanceof StackError)) throw cause
    return { name, verdict: 'missing', detail: cause.message, remedy: cause.remedy }
  } finally {
    rmSync(probe, { recursive: true, force: true })
  }
}

function checkDisk(path: string): MachineCheck {
  const { bavail, bsize } = statfsSync(existing(path))
  const detail = `${((bavail * bsize) / 1024 ** 3).toFixed(1)} GiB free`
  if (bavail * bsize >= neededBytes) return { name: 'disk', verdict: 'ok', detail }
  const remedy = 'free some space, or set SLUICE_DATA_DIR to a folder on another disk: 2 GiB are good to have'
  return { name: 'disk', verdict: 'note', detail, remedy }
}

function checkAccount(): MachineCheck {
  const account = serverAccount()
  const detail = account ? `root: the servers run as ${account.name}` : 'the servers run as you'
  return { name: 'user', verdict: 'ok', detail }
}

function existing(path: string): string {
  let place = path
  while (!existsSync(place) && place !== dirname(place)) place = dirname(place)
  return place
}
