/**
 * Headers of Sluice stand beside those of a record, and a record may have one of the same name. It is kept under another
 * name then, and gets its own name back when the record is handled again: no header of a user is ever lost.
 */
const keptPrefix = 'sluice-kept-'

type Named<Value> = readonly [name: string, value: Value]

/** The headers of a record, those renamed that would be taken for ours. `isOurs` knows the names that we write. */
export function keepHeaders<Value>(headers: Iterable<Named<Value>>, isOurs: (name: string) => boolean): Named<Value>[] {
  return Array.from(headers, ([name, value]) => {
    // One that looks renamed already is renamed once more, so that giving back undoes exactly one step.
    return [isOurs(name) || name.startsWith(keptPrefix) ? keptPrefix + name : name, value] as const
  })
}

/** What `keepHeaders` was given: ours are left out, and the others have their own names. */
export function giveBackHeaders<Value>(
  headers: Iterable<Named<Value>>,
  isOurs: (name: string) => boolean,
): Named<Value>[] {
  return [...headers]
    .filter(([name]) => !isOurs(name))
    .map(([name, value]) => [name.startsWith(keptPrefix) ? name.slice(keptPrefix.length) : name, value] as const)
}
