import { InvariantError } from '@sluice/flow'
import type { DeadLetterRecord } from '../../failure/dead-letter-record.ts'

interface Line {
  readonly topic: string
  readonly partition: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: readonly (readonly [name: string, value: string | null])[]
  readonly timestampMs: number | undefined
}

/** A dead letter as a line of JSON, with its end. */
export function toLine({ topic, partition, key, value, headers, timestampMs }: DeadLetterRecord): Buffer {
  if (!Array.isArray(headers)) throw new InvariantError('The headers of a dead letter are pairs')
  const pairs = headers as readonly (readonly [string, string | Uint8Array | null])[]
  const line: Line = {
    topic,
    partition,
    key: key && key.toString('base64'),
    value: value && value.toString('base64'),
    headers: pairs.map(([name, content]) => [name, content === null ? null : Buffer.from(content).toString('base64')]),
    timestampMs,
  }
  return Buffer.from(`${JSON.stringify(line)}\n`)
}

/** Undefined: the line is not whole. */
export function fromLine(text: string): DeadLetterRecord | undefined {
  try {
    const { key, value, headers, timestampMs, ...place } = JSON.parse(text) as Line
    return {
      ...place,
      key: key === null ? null : Buffer.from(key, 'base64'),
      value: value === null ? null : Buffer.from(value, 'base64'),
      headers: headers.map(([name, content]) => [name, content === null ? null : Buffer.from(content, 'base64')]),
      ...(timestampMs !== undefined && { timestampMs }),
    }
  } catch {
    return undefined
  }
}
