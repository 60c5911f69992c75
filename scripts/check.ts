// `npm run check`: every gate that needs no server, side by side; a line each, output only from what failed.
// `npm run check -- lint format` runs only the named ones.
import { spawn } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { forgottenExports } from './forgotten-exports.ts'
import { folderCirclesIn, readSources, violationsIn } from './import-law.ts'
import { licenceViolations, type LockFile } from './licences.ts'
import { incompleteOptions } from './option-docs.ts'
import { hiddenDeclarations, ourLibraries, readPublicApi } from './public-api.ts'
import { undocumented } from './undocumented.ts'

/** What a gate found; an empty text means that it is content. */
type Gate = () => Promise<string>

const root = fileURLToPath(new URL('..', import.meta.url))

const gates: Readonly<Record<string, Gate>> = {
  types: () => run('tsc', '-p', 'tsconfig.json'),
  lint: checkLint,
  format: () => run('oxfmt', '--check', '.'),
  unused: () => run('knip', '--no-progress'),
  imports: checkImports,
  api: checkApi,
  packages: checkPackages,
  licences: checkLicences,
}

/** Runs a tool of node_modules/.bin on the Node that runs this script. */
function run(tool: string, ...args: string[]): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const child = spawn(join(root, 'node_modules', '.bin', tool), args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.on('error', reject)
  child.on('close', (code, signal) => resolve(code === 0 ? '' : `${output}\n${tool} ended with ${signal ?? code}`))
  return promise
}

let building: Promise<string> | undefined

/** What would be published, built once for all gates. */
function build(): Promise<string> {
  building ??= run('tsc', '-b', 'tsconfig.build.json')
  return building
}

/** Types are looked up in what is built: not while that is being written. */
async function checkLint(): Promise<string> {
  await build()
  return await run('oxlint', '--deny-warnings')
}

function checkImports(): Promise<string> {
  const paths = globSync('{packages,services}/*/src/**/*.ts', { cwd: root })
  const others = globSync('{tests,bench}/**/*.ts', { cwd: root, exclude: (path) => path.includes('node_modules') })
  const sources = readSources(
    root,
    [...paths, ...others].map((path) => path.replaceAll('\\', '/')),
  )
  return Promise.resolve([...violationsIn(sources), ...folderCirclesIn(sources)].join('\n'))
}

/** What the published declarations show. */
async function checkApi(): Promise<string> {
  const failedBuild = await build()
  if (failedBuild !== '') return failedBuild
  const api = readPublicApi(ourLibraries(root))
  return [
    ...forgottenExports(api, root),
    ...hiddenDeclarations(api),
    ...incompleteOptions(api),
    ...undocumented(api),
  ].join('\n')
}

/** Reads each package as a consumer's tools would. */
async function checkPackages(): Promise<string> {
  const failedBuild = await build()
  if (failedBuild !== '') return failedBuild
  const found: string[] = []
  for (const manifest of globSync('{packages,services}/*/package.json', { cwd: root })) {
    const pkg = JSON.parse(readFileSync(join(root, manifest), 'utf8')) as Record<string, unknown>
    const { messages } = await publint({ pkgDir: join(root, manifest, '..'), pack: false, strict: true })
    for (const message of messages) found.push(`${manifest}: ${formatMessage(message, pkg) ?? message.code}`)
  }
  return found.join('\n')
}

function checkLicences(): Promise<string> {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as LockFile
  return Promise.resolve(licenceViolations(lock).join('\n'))
}

async function report(name: string, gate: Gate, width: number): Promise<boolean> {
  const startedMs = performance.now()
  const complaint = await gate().catch(String)
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1)
  console.log(`${complaint === '' ? 'ok  ' : 'FAIL'} ${name.padEnd(width)} ${seconds.padStart(5)} s`)
  if (complaint !== '') console.log(complaint.trimEnd().replaceAll(/^/gm, '     '))
  return complaint === ''
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in gates))
if (unknown.length > 0) {
  console.error(`No gate is called ${unknown.join(', ')}; there are: ${Object.keys(gates).join(', ')}.`)
  process.exit(2)
}
const chosen = Object.entries(gates).filter(([name]) => wanted.length === 0 || wanted.includes(name))
const width = Math.max(...chosen.map(([name]) => name.length))
const results = await Promise.all(chosen.map(([name, gate]) => report(name, gate, width)))
process.exitCode = results.every(Boolean) ? 0 : 1
