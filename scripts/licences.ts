// Which licences the packages may have that package-lock.json names, as data and as a pure check.

interface LockedPackage {
  readonly link?: boolean
  readonly dev?: boolean
  readonly license?: string
}

export interface LockFile {
  readonly packages: Readonly<Record<string, LockedPackage>>
}

/** Compatible with Apache-2.0, and asking for no more than that their text travels along. */
const allowed: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
])

/** Also allowed for tools, which users do not install. */
const allowedForTools: ReadonlySet<string> = new Set(['MPL-2.0'])

/** Every package whose licence is not on the list, as one line each. */
export function licenceViolations(lock: LockFile): string[] {
  return Object.entries(lock.packages).flatMap(([path, { link, dev, license }]) => {
    // Other paths are those of our own workspaces.
    if (!path.includes('node_modules/') || link) return []
    if (license !== undefined && (allowed.has(license) || (dev && allowedForTools.has(license)))) return []
    return [`${path.replace(/^.*node_modules\//, '')}: ${license ?? 'no licence'} is not on the list of licences.ts`]
  })
}
