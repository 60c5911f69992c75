import { globSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runOk } from './child.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

export interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly repository?: { readonly url: string; readonly directory: string }
  readonly engines?: { readonly node: string }
}

/** The manifests of all packages that are published. */
export const published = globSync('{packages,services}/*/package.json', { cwd: root })
  .map((path) => JSON.parse(readFileSync(join(root, path), 'utf8')) as Manifest)
  .filter((manifest) => !manifest.private)

export interface Tarball {
  readonly name: string
  readonly filename: string
  readonly integrity: string
}

/** The environment in which `node` is this one. npm itself may run on any Node. */
export function environmentOf(node: string): Record<string, string | undefined> {
  return { PATH: `${dirname(node)}${delimiter}${process.env['PATH']}`, NODE_OPTIONS: undefined }
}

/** Builds everything from nothing, for what an earlier build left must not travel along. */
export async function buildAll(): Promise<void> {
  for (const left of globSync('{packages,services}/*/{dist,tsconfig.tsbuildinfo}', { cwd: root })) {
    rmSync(join(root, left), { recursive: true })
  }
  await npm(['run', '--silent', 'build'])
}

/** Packs every package that is published, as its release does. */
export async function packAll(destination: string): Promise<Tarball[]> {
  return JSON.parse(await npm(packArguments(destination))) as Tarball[]
}

/** The same on a later day and elsewhere: other times of files, another zone, no build. */
export async function packAgain(): Promise<Tarball[]> {
  for (const file of globSync('{packages,services}/*/dist/**/*', { cwd: root })) utimesSync(join(root, file), 0, 0)
  const args = [...packArguments('.'), '--dry-run', '--ignore-scripts']
  return JSON.parse(await npm(args, { TZ: 'Asia/Tokyo', LC_ALL: 'C' })) as Tarball[]
}

/** Installs tarballs into a folder, as an application would. */
export async function installAll(folder: string, tarballs: readonly Tarball[]): Promise<void> {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  const paths = tarballs.map(({ filename }) => join(folder, filename))
  await npm(['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', ...paths], {}, folder)
}

/** Installs packages beside them, without naming them in the manifest. */
export async function installMore(folder: string, specs: readonly string[]): Promise<void> {
  await npm(['install', '--no-save', '--prefer-offline', '--no-audit', '--no-fund', ...specs], {}, folder)
}

/** The version of a package that this repository has installed. */
export function installedVersion(name: string): string {
  const manifest = readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

/** The first TypeScript block of the README of an installed package. */
export function readmeSample(folder: string, name: string): string {
  const readme = readFileSync(join(folder, 'node_modules', name, 'README.md'), 'utf8')
  const sample = /^```ts[^\n]*\n(.*?)^```$/ms.exec(readme)?.[1]
  if (sample === undefined) throw new Error(`the README of ${name} has no TypeScript`)
  return sample
}

function packArguments(destination: string): string[] {
  return [
    'pack',
    '--json',
    '--pack-destination',
    destination,
    ...published.flatMap(({ name }) => ['--workspace', name]),
  ]
}

function npm(args: readonly string[], env: Record<string, string> = {}, cwd = root): Promise<string> {
  return runOk('npm', args, { cwd, env: { ...environmentOf(process.execPath), ...env }, timeoutMs: 170_000 })
}
