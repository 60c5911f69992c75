// Runs before start, test and check, on whatever Node the host has: installs what the lock file says
// when it is not installed yet, and makes sure that Node 24 or newer runs what follows.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const lockFile = join(root, 'package-lock.json')
const installedMark = join(root, 'node_modules', '.sluice-installed.json')
const requiredMajor = 24

const isInstalled = existsSync(installedMark) && readFileSync(installedMark).equals(readFileSync(lockFile))
if (!isInstalled) {
  console.error('sluice: installing what package-lock.json names (once) ...')
  // Install scripts are not needed by anything we depend on, so none runs.
  const { status, error } = spawnSync('npm', ['ci', '--ignore-scripts', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  })
  if (status !== 0) fail(`npm ci failed${error ? ` (${error.message})` : ''}: see the lines above.`)
  copyFileSync(lockFile, installedMark)
}

const { stdout } = spawnSync('node', ['--version'], { encoding: 'utf8', env: pathWithBin() })
const found = stdout?.trim() ?? 'none'
if (!(Number(found.slice(1).split('.')[0]) >= requiredMajor)) {
  fail(
    `Node ${requiredMajor} or newer is needed and ${found} was found. npm brings it on Linux x64, Linux arm64 and ` +
      'macOS x64 unless optional dependencies are switched off (check `npm config get omit`); elsewhere install it yourself.',
  )
}

function pathWithBin() {
  const separator = process.platform === 'win32' ? ';' : ':'
  return { ...process.env, PATH: join(root, 'node_modules', '.bin') + separator + process.env.PATH }
}

function fail(message) {
  console.error(`sluice: ${message}`)
  process.exit(1)
}
