import { InvalidArgumentError } from 'commander'
import type { RawRecord } from './record-text.ts'

/** What a record has to be like to be shown; all of it. */
export interface RecordFilter {
  readonly key?: string
  /** Name, and the value where one is wanted. */
  readonly header?: readonly HeaderFilter[]
  /** Somewhere in the key or the value. */
  readonly grep?: string
}

export interface HeaderFilter {
  readonly name: string
  readonly value: string | undefined
}

/** `name` or `name=value`. */
export function parseHeaderFilter(text: string, earlier: readonly HeaderFilter[] = []): readonly HeaderFilter[] {
  const at = text.indexOf('=')
  const name = at < 0 ? text : text.slice(0, at)
  if (name === '') throw new InvalidArgumentError('expected name or name=value')
  return [...earlier, { name, value: at < 0 ? undefined : text.slice(at + 1) }]
}

/** Compares bytes: nothing is decoded for it. Undefined: every record fits. */
export function matcherOf({ key, header = [], grep }: RecordFilter): ((record: RawRecord) => boolean) | undefined {
  if (key === undefined && header.length === 0 && grep === undefined) return undefined
  const keyBytes = key === undefined ? undefined : Buffer.from(key)
  const grepBytes = grep === undefined ? undefined : Buffer.from(grep)
  return (record) => {
    if (keyBytes && !record.key?.equals(keyBytes)) return false
    if (grepBytes && !record.value?.includes(grepBytes) && !record.key?.includes(grepBytes)) return false
    return header.every((wanted) => hasHeader(record, wanted))
  }
}

function hasHeader({ headers }: RawRecord, { name, value }: HeaderFilter): boolean {
  const found = headers.getBytes(name)
  return value === undefined ? found !== undefined : found?.toString() === value
}
