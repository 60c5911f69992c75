import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runOk } from './child.ts'

const cache = fileURLToPath(new URL('../../../node_modules/.cache/tools', import.meta.url))

/** The packages of other Node versions: npm has none of this line for other machines. */
const nodePackages: Readonly<Record<string, string>> = { 'linux-x64': '22.22.0', 'darwin-x64': '22.22.3' }

/**
 * The Node of the oldest line that is supported, fetched from npm once, as the path of its program. Undefined where
 * there is none for this machine or npm cannot fetch it; a line says so. @throws Error with `SLUICE_REQUIRE_ALL=1` then
 */
export async function oldestNode(): Promise<string | undefined> {
  const machine = `${process.platform}-${process.arch}`
  const version = nodePackages[machine]
  if (version === undefined) return without(`Node 22.22: npm has none for ${machine}`)
  const folder = await cachedTool(`node-${version}`, `node-${machine}@${version}`)
  return folder && join(folder, 'node_modules', `node-${machine}`, 'bin', 'node')
}

/** The folder where npm has installed a package for tests, once. Undefined or an error as with `oldestNode`. */
export async function cachedTool(name: string, spec: string): Promise<string | undefined> {
  const folder = join(cache, name)
  if (existsSync(folder)) return folder
  mkdirSync(cache, { recursive: true })
  const fresh = mkdtempSync(join(cache, '.installing-'))
  try {
    writeFileSync(join(fresh, 'package.json'), '{ "private": true }')
    const args = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', spec]
    await runOk('npm', args, { cwd: fresh, timeoutMs: 120_000 })
    if (!existsSync(folder)) renameSync(fresh, folder)
    return folder
  } catch (error) {
    return without(`${spec}: ${(error as Error).message.split('\n', 1)[0]}`)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

function without(what: string): undefined {
  if (process.env['SLUICE_REQUIRE_ALL'] === '1') throw new Error(`cannot test with ${what}`)
  process.stderr.write(`skipped: cannot test with ${what}\n`)
  return undefined
}
