import { InvalidArgumentError } from 'commander'
import { printable } from '../output/printable.ts'
import { isoTime, jsonLine, type RawRecord, shownBytes, shownHeaders } from './record-text.ts'

/** A record as it is written out, its end of line included. */
export type RecordFormat = (record: RawRecord) => string | Buffer

/** So much of a value is shown where somebody looks at it. */
const SCREEN_CHARACTERS = 4_096

interface LineFormatOptions {
  readonly isScreen: boolean
  /** False leaves out those that the producer and tracing add to every record. */
  readonly allHeaders: boolean
}

/** `partition/offset  time  key  value  headers`. On a screen long values are cut. */
export function lineFormat({ isScreen, allHeaders }: LineFormatOptions): RecordFormat {
  const limit = isScreen ? SCREEN_CHARACTERS : Infinity
  return (record) => {
    const { partition, offset, timestampMs, key, value } = record
    const place = `${partition}/${offset}`.padEnd(9)
    const headers = shownHeaders(record, allHeaders ? 'all' : 'own')
    const cells = `${place}  ${isoTime(timestampMs)}  ${shownBytes(key, limit)}  ${shownBytes(value, limit)}`
    return headers === '' ? `${cells}\n` : `${cells}  ${headers}\n`
  }
}

/** One JSON object per line. */
export const jsonFormat: RecordFormat = (record) => `${jsonLine(record)}\n`

/** The value's own bytes; on a screen nothing that it might obey. */
export function rawFormat({ isScreen }: { readonly isScreen: boolean }): RecordFormat {
  if (isScreen) return ({ value }) => `${shownBytes(value)}\n`
  return ({ value }) => (value === null ? '\n' : Buffer.concat([value, newline]))
}

const newline = Buffer.from('\n')

type Field = (record: RawRecord) => string

const fields: ReadonlyMap<string, Field> = new Map(
  Object.entries({
    topic: ({ topic }) => topic,
    partition: ({ partition }) => String(partition),
    offset: ({ offset }) => String(offset),
    time: ({ timestampMs }) => isoTime(timestampMs),
    timestamp: ({ timestampMs }) => String(timestampMs),
    key: ({ key }) => shownBytes(key),
    value: ({ value }) => shownBytes(value),
    headers: (record) => shownHeaders(record, 'all'),
    bytes: ({ key, value }) => String((key?.length ?? 0) + (value?.length ?? 0)),
    ...encodedFields('key', ({ key }) => key),
    ...encodedFields('value', ({ value }) => value),
  } satisfies Record<string, Field>),
)

/** The bytes of a part in another form: digits for what is no text, and how many there are. */
function encodedFields(name: 'key' | 'value', partOf: (record: RawRecord) => Buffer | null): Record<string, Field> {
  const encoded = (encoding: 'hex' | 'base64'): Field => {
    return (record) => partOf(record)?.toString(encoding) ?? 'null'
  }
  return {
    [`${name}.hex`]: encoded('hex'),
    [`${name}.base64`]: encoded('base64'),
    [`${name}.bytes`]: (record) => String(partOf(record)?.length ?? 0),
  }
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  0: '\0',
  e: '\u001B',
  '\\': '\\',
  '{': '{',
  '}': '}',
}

export const templateHelp = `{${[...fields.keys()].join('} {')}} {header.NAME}, \\n \\r \\t \\0 \\e \\xHH \\\\ \\{ \\}`

/**
 * `{partition} {key}\t{value}`; what the record brings is made printable.
 * @throws InvalidArgumentError for an unknown field or escape, and for a template without a field
 */
export function templateFormat(template: string): RecordFormat {
  const parts = partsOf(template)
  if (!parts.some((part) => typeof part === 'function')) {
    throw new InvalidArgumentError(`the template has no field; use at least one of ${templateHelp}`)
  }
  return (record) => {
    let line = ''
    for (const part of parts) line += typeof part === 'string' ? part : part(record)
    return `${line}\n`
  }
}

/** Escapes with what they stand for, fields as functions, text as it is. */
function partsOf(template: string): (string | Field)[] {
  const tokens = template.match(/\\x[\da-fA-F]{2}|\\[^]|\{[^{}\\]*\}|[^\\{]+|[^]/g) ?? []
  return tokens.map((token) => {
    if (token.startsWith('\\')) return unescaped(token)
    return /^\{.*\}$/s.test(token) ? fieldOf(token.slice(1, -1)) : token
  })
}

function fieldOf(name: string): Field {
  const field = fields.get(name)
  if (field) return field
  const header = /^header\.(.+)$/.exec(name)?.[1]
  if (header !== undefined) return ({ headers }) => printable(headers.get(header) ?? '')
  throw new InvalidArgumentError(`unknown placeholder {${name}}; use one of ${templateHelp}`)
}

function unescaped(token: string): string {
  if (token.length === 4) return String.fromCharCode(Number.parseInt(token.slice(2), 16))
  const escape = escapes[token.slice(1)]
  if (escape !== undefined) return escape
  throw new InvalidArgumentError(`unknown escape ${token}; use one of ${templateHelp}`)
}
