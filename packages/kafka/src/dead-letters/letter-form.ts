import { encodedBytes } from '../batch/encoded-bytes.ts'
import type { HeaderInput, WireRecord } from '../record/record.ts'
import { deadLetterHeader, isLetterHeader, type LetterPart, reducedHeader } from '../failure/dead-letter-headers.ts'
import type { DeadLetterRecord } from '../failure/dead-letter-record.ts'

/** What is left of a message that was too long. */
const shortMessageLength = 200

/** In this order parts are left out until a letter fits. */
const reductions: readonly LetterPart[] = ['error-message', 'value', 'headers', 'key']

type Pairs = readonly (readonly [name: string, value: HeaderInput])[]

/** One dead letter or retry copy, in the form in which its topic may take it. Begins whole. */
export class LetterForm {
  readonly #original: DeadLetterRecord
  readonly #omitted: LetterPart[] = []
  #next = 0
  #hasTimestamp: boolean
  #hasPartition: boolean
  #isKeyMade = false

  constructor(record: DeadLetterRecord) {
    this.#original = record
    // -1: it has none. Microseconds and the like no record can be sent with; a header keeps the original's.
    const { timestampMs = -1, partition } = record
    this.#hasTimestamp = Number.isSafeInteger(timestampMs) && timestampMs >= 0
    this.#hasPartition = partition >= 0
  }

  get omitted(): readonly LetterPart[] {
    return this.#omitted
  }

  get record(): DeadLetterRecord {
    const { topic, partition, timestampMs, compression } = this.#original
    return {
      topic,
      partition: this.#hasPartition ? partition : -1,
      key: this.#key(),
      value: this.#omitted.includes('value') ? null : this.#original.value,
      headers: this.#headers(),
      ...(this.#hasTimestamp && { timestampMs: timestampMs! }),
      ...(compression && { compression }),
    }
  }

  /** False: it has none. */
  dropTimestamp(): boolean {
    const had = this.#hasTimestamp
    this.#hasTimestamp = false
    return had
  }

  /** Its key decides instead. False: it does already. */
  dropPartition(): boolean {
    const had = this.#hasPartition
    this.#hasPartition = false
    return had
  }

  /** For a topic that is compacted. False: it has a key. */
  makeKey(): boolean {
    if (this.#key() !== null) return false
    return (this.#isKeyMade = true)
  }

  /** Makes it smaller. `canOmit`: also by what cannot be left out without loss. False: it cannot be made smaller. */
  reduce(canOmit: boolean): boolean {
    while (this.#next < reductions.length) {
      const part = reductions[this.#next]!
      if (part !== 'error-message' && !canOmit) return false
      this.#next++
      if (!this.#has(part)) continue
      this.#omitted.push(part)
      return true
    }
    return false
  }

  /** What it takes in a batch of its own, as it is written; `plain`: without compression. */
  bytes(plain = false): number {
    const { key, value, headers, compression = 'lz4' } = this.record
    const wire: WireRecord = {
      key,
      value,
      headers: pairsOf(headers).map(([name, content]) => [Buffer.from(name), wireValue(content)] as const),
      timestampMs: 0,
    }
    return encodedBytes(wire, plain ? 'none' : compression)
  }

  #has(part: LetterPart): boolean {
    const pairs = pairsOf(this.#original.headers)
    if (part === 'value' || part === 'key') return (this.#original[part]?.length ?? 0) > 0
    if (part === 'headers') return pairs.some(([name]) => !isLetterHeader(name))
    const message = pairs.findLast(([name]) => name === deadLetterHeader.errorMessage)?.[1]
    return typeof message === 'string' && message.length > shortMessageLength
  }

  #key(): Buffer | null {
    if (this.#isKeyMade) return Buffer.from(this.#madeKey())
    return this.#omitted.includes('key') ? null : this.#original.key
  }

  /** Where the record is, as its headers say. Undefined: nowhere, its producer could not write it. */
  get offset(): number | undefined {
    const offset = pairsOf(this.#original.headers).findLast(([name]) => name === deadLetterHeader.offset)?.[1]
    return typeof offset === 'string' ? Number(offset) : undefined
  }

  /** Different for each record, so that compaction takes no letter away for another. */
  #madeKey(): string {
    const { topic, partition } = this.#original
    return `${topic}/${partition}/${this.offset ?? crypto.randomUUID()}`
  }

  #headers(): Pairs {
    const pairs = pairsOf(this.#original.headers)
    const omitted = this.#omitted
    if (omitted.length === 0 && !this.#isKeyMade) return pairs
    const kept = omitted.includes('headers') ? pairs.filter(([name]) => isLetterHeader(name)) : pairs
    const short = kept.map(([name, value]) =>
      name === deadLetterHeader.errorMessage && typeof value === 'string' && omitted.includes('error-message')
        ? ([name, value.slice(0, shortMessageLength)] as const)
        : ([name, value] as const),
    )
    return [
      ...short,
      ...(omitted.length > 0 ? [[reducedHeader.omitted, omitted.join(' ')] as const] : []),
      ...(omitted.includes('value')
        ? [[reducedHeader.valueBytes, String(this.#original.value?.length ?? 0)] as const]
        : []),
      ...(this.#isKeyMade ? [[reducedHeader.keyMade, 'true'] as const] : []),
    ]
  }
}

function pairsOf(headers: DeadLetterRecord['headers']): Pairs {
  return Array.isArray(headers) ? (headers as Pairs) : Object.entries(headers)
}

function wireValue(content: HeaderInput): Buffer | null {
  return content === null ? null : Buffer.from(content as string)
}
