import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { StackError } from '../errors.ts'
import { findCommand, isProgram } from '../host/commands.ts'
import { dockerHint } from '../host/docker-hint.ts'

/** Where packages of the system put each major version. */
const systemFolders = ['/usr/lib/postgresql', '/usr', '/opt/homebrew/opt', '/usr/local/opt'] as const

export interface PostgresBinaries {
  /** The folder with `postgres` and `initdb`. */
  readonly binDir: string
  readonly major: number
}

/** The PostgreSQL servers of this machine, the newest first. */
export function installedPostgres(): PostgresBinaries[] {
  return [...systemBinDirs(), ...pathBinDirs()]
    .map(inspectBinDir)
    .filter((found) => found !== undefined)
    .sort((a, b) => b.major - a.major)
}

export function inspectBinDir(binDir: string): PostgresBinaries | undefined {
  if (!isProgram(join(binDir, 'postgres')) || !isProgram(join(binDir, 'initdb'))) return undefined
  try {
    const version = execFileSync(join(binDir, 'postgres'), ['--version'], { encoding: 'utf8', timeout: 10_000 })
    return { binDir, major: Number(/(\d+)/.exec(version)?.[1]) }
  } catch {
    // It does not run here: as good as not installed.
    return undefined
  }
}

export function postgresMissing(major: number | undefined, cause?: unknown): StackError {
  const message =
    major === undefined
      ? 'PostgreSQL was not found on this machine and could not be fetched'
      : `the data folder holds data of PostgreSQL ${major}, which was not found on this machine`
  const wanted = major === undefined ? 'postgresql' : `postgresql-${major}`
  return new StackError(
    'postgres_missing',
    message,
    `install it (Debian, Ubuntu: \`apt install ${wanted}\`; macOS: \`brew install postgresql@${major ?? 17}\`), ` +
      `or set DATABASE_URL to a server of yours${major === undefined ? '' : ', or begin anew with --clean'}` +
      dockerHint(
        '-p 127.0.0.1:5432:5432 -e POSTGRES_PASSWORD=secret postgres:17',
        'DATABASE_URL=postgres://postgres:secret@127.0.0.1:5432/postgres',
      ),
    { cause },
  )
}

function systemBinDirs(): string[] {
  return systemFolders
    .flatMap((root) => (existsSync(root) ? readdirSync(root).map((name) => join(root, name, 'bin')) : []))
    .filter((dir) => /postgresql|pgsql/.test(dir))
}

function pathBinDirs(): string[] {
  const command = findCommand('postgres')
  return command ? [dirname(realpathSync(command))] : []
}
