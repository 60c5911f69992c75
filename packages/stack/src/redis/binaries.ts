import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { StackError } from '../errors.ts'
import { type Account, canReach } from '../machine/account.ts'
import { cached } from '../host/cache-folder.ts'
import { findCommand, isProgram } from '../host/commands.ts'
import { dockerHint } from '../host/docker-hint.ts'
import { unpackDependencies } from '../host/maven.ts'

const embedded = { group: 'org.signal', name: 'embedded-redis', version: '0.9.1' }

/** The server program of Redis (or of Valkey, which speaks the same): of the machine, else from Maven. */
export async function findRedis(account: Account | undefined, onProgress: (message: string) => void): Promise<string> {
  const installed = [findCommand('redis-server'), findCommand('valkey-server'), ...brewed()].find(
    (command) => command !== undefined && canReach(command, account),
  )
  if (installed) return installed
  try {
    return await fetchEmbeddedRedis(onProgress)
  } catch (error) {
    throw new StackError(
      'redis_missing',
      'Redis was not found on this machine and could not be fetched',
      'install it (Debian, Ubuntu: `apt install redis-server`; macOS: `brew install redis`), or set REDIS_URL to one of yours' +
        dockerHint('-p 127.0.0.1:6379:6379 redis:7', 'REDIS_URL=redis://127.0.0.1:6379'),
      { cause: error },
    )
  }
}

function brewed(): string[] {
  return ['/opt/homebrew/bin/redis-server', '/usr/local/bin/redis-server'].filter(isProgram)
}

async function fetchEmbeddedRedis(onProgress: (message: string) => void): Promise<string> {
  const system = process.platform === 'darwin' ? 'darwin' : 'linux'
  const processor = process.arch === 'arm64' ? 'arm64' : 'amd64'
  const folder = await cached(`redis-${embedded.version}`, async (draft) => {
    const workDir = join(draft, 'maven')
    mkdirSync(workDir)
    await unpackDependencies([embedded], '**/redis-server-*', draft, { what: 'Redis', workDir, onProgress })
    rmSync(workDir, { recursive: true })
    for (const file of readdirSync(draft)) if (file.startsWith('redis-server-')) chmodSync(join(draft, file), 0o755)
  })
  const program = readdirSync(folder).find((file) => file.endsWith(`-${system}-${processor}`))
  if (program === undefined) throw new Error(`Maven has no Redis for ${system} ${processor}`)
  return join(folder, program)
}
