import type { HeadersInput, OutgoingRecord } from '@sluice/kafka'

/** A record to be sent, its key and value as bytes. */
export type RawOutgoing = OutgoingRecord<Buffer | null, Buffer | null>

/** What holds for every record, unless the line says otherwise. */
export interface LineDefaults {
  readonly key: Buffer | null
  readonly headers: ReadonlyArray<readonly [string, string]>
  readonly partition: number | undefined
}

/** Reads a line. @throws TypeError that says what is wrong with it */
export type LineParser = (line: Buffer) => RawOutgoing

/** The line is the value; with a separator, the key before its first occurrence and the value behind. */
export function plainParser(defaults: LineDefaults, keySeparator: string | undefined): LineParser {
  const common = commonOf(defaults)
  if (keySeparator === undefined) return (line) => ({ ...common, key: defaults.key, value: line })
  const separator = Buffer.from(keySeparator)
  return (line) => {
    const at = line.indexOf(separator)
    if (at < 0) throw new TypeError(`it has no ${JSON.stringify(keySeparator)} between key and value`)
    return { ...common, key: line.subarray(0, at), value: line.subarray(at + separator.length) }
  }
}

/**
 * An object with `value`, and perhaps `key`, `headers`, `timestamp`: as `tail --json` writes it. Text, null,
 * `{ "base64": ... }`; anything else is sent as its JSON. `topic`, `partition` and `offset` are where it came from, and
 * are passed over.
 */
export function jsonParser(defaults: LineDefaults): LineParser {
  const common = commonOf(defaults)
  return (line) => {
    const read = parseObject(line)
    if (!('value' in read)) throw new TypeError('it has no field `value`')
    const timestampMs = timestampOf(read['timestamp'])
    return {
      ...common,
      key: 'key' in read ? bytesOf('key', read['key']) : defaults.key,
      value: bytesOf('value', read['value']),
      headers: [...(defaults.headers as [string, string][]), ...headersOf(read['headers'])],
      ...(timestampMs !== undefined && { timestampMs }),
    }
  }
}

function commonOf({ headers, partition }: LineDefaults) {
  return { headers: headers as HeadersInput, ...(partition !== undefined && { partition }) }
}

function parseObject(line: Buffer): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(line.toString())
  } catch (error) {
    throw new TypeError(`not JSON: ${(error as Error).message}`, { cause: error })
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('not a JSON object')
  return value as Record<string, unknown>
}

function bytesOf(field: string, value: unknown): Buffer | null {
  if (value === null) return null
  if (typeof value === 'string') return Buffer.from(value)
  const base64 = base64Of(value)
  if (base64 === undefined) return Buffer.from(JSON.stringify(value))
  const decoded = Buffer.from(base64, 'base64')
  if (decoded.toString('base64').replace(/=+$/, '') !== base64.replace(/=+$/, '')) {
    throw new TypeError(`\`${field}\` is not valid base64`)
  }
  return decoded
}

/** Of an object that has nothing else. */
function base64Of(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Object.keys(value).join() !== 'base64') return undefined
  const { base64 } = value as { base64: unknown }
  return typeof base64 === 'string' ? base64 : undefined
}

/** As `tail --json` writes them, or a plain object. */
function headersOf(headers: unknown): (readonly [string, Buffer | null])[] {
  if (headers === undefined || headers === null) return []
  if (Array.isArray(headers)) {
    return headers.map((header: unknown) => {
      const { name, value = null } = (header ?? {}) as { name?: unknown; value?: unknown }
      if (typeof name !== 'string') throw new TypeError('a header has no name')
      return [name, bytesOf(`header ${name}`, value)] as const
    })
  }
  if (typeof headers !== 'object') throw new TypeError('its headers are neither an object nor a list')
  return Object.entries(headers).map(([name, value]) => [name, bytesOf(`header ${name}`, value)] as const)
}

function timestampOf(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  const ms = typeof value === 'number' ? value : typeof value === 'string' ? new Date(value).getTime() : Number.NaN
  if (Number.isSafeInteger(ms) && ms >= 0) return ms
  throw new TypeError('its timestamp is neither a date nor milliseconds since the epoch')
}
