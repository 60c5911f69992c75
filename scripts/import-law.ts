// The one-way imports of DESIGN.md, as data and as a pure check over source text.
// `npm run check` applies it to the tree; import-law.test.ts keeps the law itself honest.
import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

/** A source file by its path from the root, with forward slashes. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** Which workspaces of ours each folder may import. What is not named here may import any library package. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  'packages/flow': [],
  'packages/kafka': ['@sluice/flow'],
  'packages/postgres': ['@sluice/flow', '@sluice/kafka'],
  'packages/stack': [],
  'packages/cli': ['@sluice/flow', '@sluice/kafka', '@sluice/stack', '@sluice/commerce'],
}

/** What any service may import. */
const servicesMayImport: readonly string[] = ['@sluice/flow', '@sluice/kafka', '@sluice/postgres']

/** A library that only these folders may import: so it can be replaced in a day. */
const confined: Readonly<Record<string, readonly string[]>> = {
  '@platformatic/kafka': ['packages/kafka/src/driver/', 'bench/'],
  '@platformatic/wasm-utils': ['packages/kafka/src/driver/'],
  kafkajs: ['bench/', 'tests/system/'],
}

/** What our packages share: users have no part in it. */
const internalEntry = '@sluice/flow/internal'

const specifierPattern =
  /(?:^|[\s;}])(?:from|import)\s*\(?\s*(['"])([^'"\n]+)\1|import\.meta\.resolve\((['"])([^'"\n]+)\3/gm

/** The module names that a file imports, statically or dynamically. */
export function specifiersOf(text: string): string[] {
  return [...text.matchAll(specifierPattern)].map((match) => match[2] ?? match[4] ?? '')
}

/** The folder with the package.json that a file belongs to: `packages/flow`, `tests`, ... */
function workspaceOf(path: string): string {
  const [first = '', second = ''] = path.split('/')
  return first === 'packages' || first === 'services' ? `${first}/${second}` : first
}

/** Every import in `files` that breaks the law, as one line each. */
export function violationsIn(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    specifiersOf(file.text).flatMap((specifier) => {
      const reason = objection(file.path, specifier)
      return reason === undefined ? [] : [`${file.path}: '${specifier}' ${reason}`]
    }),
  )
}

function objection(path: string, specifier: string): string | undefined {
  const workspace = workspaceOf(path)
  if (specifier.startsWith('.')) {
    const target = normalize(join(dirname(path), specifier)).replaceAll('\\', '/')
    return workspaceOf(target) === workspace ? undefined : 'reaches into another package: import it by its name'
  }
  const name = packageName(specifier)
  const homes = confined[name]
  if (homes && !homes.some((home) => path.startsWith(home))) return `may be imported only in ${homes.join(' and ')}`
  if (!name.startsWith('@sluice/')) return undefined
  const allowed = workspace.startsWith('services/') ? servicesMayImport : mayImport[workspace]
  if (allowed && !allowed.includes(name))
    return `is not among what ${workspace} may import (${allowed.join(', ') || 'nothing'})`
  const isDeep = isLibrary(name) && specifier !== name && specifier !== internalEntry
  return isDeep ? 'is a deep import: a library has one public entry' : undefined
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Services export their programs beside their entry, so that the demo can start them; libraries export one entry. */
function isLibrary(name: string): boolean {
  return name !== '@sluice/commerce'
}

/**
 * The circles of folders: those right below a package's `src` whose files import each other, types too, as one line each.
 * Files that lie in `src` itself belong to no folder.
 */
export function folderCirclesIn(files: readonly SourceFile[]): string[] {
  const imports = new Map<string, Set<string>>()
  for (const { path, text } of files) {
    const from = folderOf(path)
    if (from === undefined || path.endsWith('.test.ts')) continue
    const targets = imports.get(from) ?? new Set()
    imports.set(from, targets)
    for (const specifier of specifiersOf(text).filter((one) => one.startsWith('.'))) {
      const to = folderOf(normalize(join(dirname(path), specifier)).replaceAll('\\', '/'))
      if (to !== undefined && to !== from) targets.add(to)
    }
  }
  const reach = (start: string): ReadonlySet<string> => reachable(imports, start)
  const circles = [...imports.keys()].map((folder) =>
    [...reach(folder)].filter((other) => reach(other).has(folder)).toSorted(),
  )
  const lines = circles.filter((circle) => circle.length > 1).map((circle) => circle.join(' <-> '))
  return [...new Set(lines)].map((line) => `folders import each other: ${line}`)
}

/** `packages/kafka/src/consumer`, for a file anywhere below it. */
function folderOf(path: string): string | undefined {
  return /^((?:packages|services)\/[^/]+\/src\/[^/]+)\//.exec(path)?.[1]
}

/** What can be come to from a folder, itself included where it lies in a circle. */
function reachable(imports: ReadonlyMap<string, ReadonlySet<string>>, start: string): ReadonlySet<string> {
  const seen = new Set<string>()
  const left = [...(imports.get(start) ?? [])]
  for (let folder = left.pop(); folder !== undefined; folder = left.pop()) {
    if (seen.has(folder)) continue
    seen.add(folder)
    left.push(...(imports.get(folder) ?? []))
  }
  return seen
}

/** Reads `paths` (relative to `root`) for `violationsIn`. */
export function readSources(root: string, paths: readonly string[]): SourceFile[] {
  return paths.map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}
