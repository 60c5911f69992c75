import { InvalidArgumentError } from 'commander'
import { printable } from '../output/printable.ts'
import { isoTime, jsonLine, type RawRecord, shownBytes, shownHeaders } from './record-text.ts'

/** A record as it is written out, its end of line included. */
export type RecordFormat = (record: RawRecord) => string | Buffer

/** So much of a value is shown where somebody looks at it. */
const SCREEN_CHARACTERS = 4_096

/** `partition/offset  time  key  value  headers`. On a screen long values are cut. */
export function lineFormat({ isScreen }: { readonly isScreen: boolean }): RecordFormat {
  const limit = isScreen ? SCREEN_CHARACTERS : Infinity
  return (record) => {
    const { partition, offset, timestampMs, key, value } = record
    const place = `${partition}/${offset}`.padEnd(9)
    const headers = shownHeaders(record)
    const cells = `${place}  ${isoTime(timestampMs)}  ${shownBytes(key, limit)}  ${shownBytes(value, limit)}`
    return headers === '' ? `${cells}\n` : `${cells}  ${headers}\n`
  }
}

/** An object a line. */
export const jsonFormat: RecordFormat = (record) => `${jsonLine(record)}\n`

/** The value's own bytes; on a screen nothing that it might obey. */
export function rawFormat({ isScreen }: { readonly isScreen: boolean }): RecordFormat {
  if (isScreen) return ({ value }) => `${shownBytes(value)}\n`
  return ({ value }) => (value === null ? '\n' : Buffer.concat([value, newline]))
}

const newline = Buffer.from('\n')

const fields: ReadonlyMap<string, (record: RawRecord) => string> = new Map(
  Object.entries({
    topic: ({ topic }) => topic,
    partition: ({ partition }) => String(partition),
    offset: ({ offset }) => String(offset),
    time: ({ timestampMs }) => isoTime(timestampMs),
    timestamp: ({ timestampMs }) => String(timestampMs),
    key: ({ key }) => shownBytes(key),
    value: ({ value }) => shownBytes(value),
    headers: shownHeaders,
    bytes: ({ key, value }) => String((key?.length ?? 0) + (value?.length ?? 0)),
  } satisfies Record<string, (record: RawRecord) => string>),
)

export const templateHelp = `{${[...fields.keys()].join('} {')}} {header.NAME}, \\t, \\n`

/** `{partition} {key}\t{value}`; what the record brings is made printable. */
export function templateFormat(template: string): RecordFormat {
  const parts = template.split(/(\{[^{}]*\})/).map((part) => {
    if (!/^\{.*\}$/.test(part)) return unescaped(part)
    return fieldOf(part.slice(1, -1))
  })
  return (record) => {
    let line = ''
    for (const part of parts) line += typeof part === 'string' ? part : part(record)
    return `${line}\n`
  }
}

function fieldOf(name: string): (record: RawRecord) => string {
  const field = fields.get(name)
  if (field) return field
  const header = /^header\.(.+)$/.exec(name)?.[1]
  if (header !== undefined) return ({ headers }) => printable(headers.get(header) ?? '')
  throw new InvalidArgumentError(`unknown placeholder {${name}}; use one of ${templateHelp}`)
}

function unescaped(text: string): string {
  const named: Readonly<Record<string, string>> = { n: '\n', t: '\t', '\\': '\\' }
  return text.replaceAll(/\\([nt\\])/g, (_, letter: string) => named[letter]!)
}
