// `node scripts/release.ts TAG FOLDER`: makes what a release publishes, in an empty or new folder: a tarball of every
// package, SHA256SUMS and the list of all dependencies (SBOM). It fails where the tag and the versions differ, where the
// changelog has no section for the version, or where packing again gives other bytes. It publishes nothing.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Manifest, releaseViolations } from './release-rules.ts'

interface Tarball {
  readonly name: string
  readonly filename: string
  readonly integrity: string
}

const root = fileURLToPath(new URL('..', import.meta.url))
const [tag, givenFolder] = process.argv.slice(2)
if (tag === undefined || givenFolder === undefined)
  fail('node scripts/release.ts TAG FOLDER, such as v0.1.0 /tmp/release')
const folder = resolve(givenFolder)

const manifests = globSync('{packages,services}/*/package.json', { cwd: root })
  .map((path) => JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest)
  .filter((manifest) => !manifest.private)
const workspaces = manifests.flatMap(({ name }) => ['--workspace', name])
const violations = releaseViolations(tag, manifests, readFileSync(join(root, 'CHANGELOG.md'), 'utf8'))
if (violations.length > 0) fail(violations.join('\n'))

mkdirSync(folder, { recursive: true })
if (readdirSync(folder).length > 0) fail(`${folder} is not empty: name a new folder`)
const first = packFromNothing()
const second = packFromNothing()
const differing = first.filter(({ integrity }, index) => integrity !== second[index]?.integrity)
if (differing.length > 0) fail(`packed twice, but not the same: ${differing.map(({ name }) => name).join(', ')}`)

const sums = first.map(({ filename }) => `${sha256(join(folder, filename))}  ${filename}\n`)
writeFileSync(join(folder, 'SHA256SUMS'), sums.join(''))
const sbom = npm('sbom', '--package-lock-only', '--omit', 'dev', '--sbom-format', 'cyclonedx', ...workspaces)
writeFileSync(join(folder, `sluice-${tag}.cdx.json`), sbom)
console.log(`${first.length} tarballs, SHA256SUMS and the SBOM of ${tag} are in ${folder}`)

/** What an earlier build left must not travel along. */
function packFromNothing(): Tarball[] {
  for (const left of globSync('{packages,services}/*/{dist,tsconfig.tsbuildinfo}', { cwd: root })) {
    rmSync(join(root, left), { recursive: true })
  }
  npm('run', '--silent', 'build')
  return JSON.parse(npm('pack', '--json', '--ignore-scripts', '--pack-destination', folder, ...workspaces)) as Tarball[]
}

function npm(...args: readonly string[]): string {
  return execFileSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 })
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}
