import { ConfigError } from '@sluice/flow'

/**
 * Refuses a field that does not exist: a setting under a wrong name would be ignored.
 * @param prefix of the names, such as `queue.`
 * @param fields all there are; as an object, so that the compiler misses none
 * @throws ConfigError that names the field; it never shows the value, which may be a password in the wrong place
 */
export function requireKnownFields<T extends object>(
  prefix: string,
  options: T,
  fields: Readonly<Record<keyof T, true>>,
): void {
  for (const field of Object.keys(options))
    if (!Object.hasOwn(fields, field)) throw unknownOption(prefix, field, fields)
}

function unknownOption(prefix: string, field: string, fields: object): ConfigError {
  const names = Object.keys(fields)
  const allowed = `one of ${names.join(', ')}`
  const meant = mostLike(field, names)
  const hint = meant === undefined ? `the options are ${names.join(', ')}` : `did you mean \`${prefix}${meant}\`?`
  return new ConfigError(prefix + field, undefined, allowed, `unknown option \`${prefix}${field}\`; ${hint}`)
}

/** The name that begins like the wrong one, or differs from it in at most a third of its letters. */
function mostLike(wrong: string, names: readonly string[]): string | undefined {
  const lower = wrong.toLowerCase()
  const begun = names.find((name) => lower.length > 2 && name.toLowerCase().startsWith(lower))
  if (begun !== undefined) return begun
  const distances = names.map((name) => ({ name, distance: editDistance(lower, name.toLowerCase()) }))
  const [best] = distances.toSorted((a, b) => a.distance - b.distance)
  return best && best.distance <= Math.max(1, Math.floor(wrong.length / 3)) ? best.name : undefined
}

/** How many letters have to be added, removed or changed (Levenshtein), row by row. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row.push(Math.min(change, previous[j]! + 1, row[j - 1]! + 1))
    }
    previous = row
  }
  return previous[b.length]!
}
