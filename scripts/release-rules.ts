// What has to be true of a tag before its packages are made, as a pure check.

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
}

/** Every reason not to release these packages under this tag, as one line each. */
export function releaseViolations(tag: string, manifests: readonly Manifest[], changelog: string): string[] {
  const version = /^v(\d+\.\d+\.\d+(?:-[\w.]+)?)$/.exec(tag)?.[1]
  if (version === undefined) return [`the tag is ${tag}, but must be v and a version, such as v1.2.3`]
  const found: string[] = []
  for (const manifest of manifests) {
    if (manifest.version !== version) found.push(`${manifest.name} has version ${manifest.version}, not ${version}`)
    for (const [name, wanted] of Object.entries(manifest.dependencies ?? {})) {
      if (name.startsWith('@sluice/') && wanted !== version) {
        found.push(`${manifest.name} depends on ${name} ${wanted}, not ${version}`)
      }
    }
  }
  const sections = Array.from(changelog.matchAll(/^## \[?([^\]\s]+)/gm), ([, section]) => section)
  if (!sections.includes(version)) found.push(`CHANGELOG.md has no section ${version}`)
  return found
}
