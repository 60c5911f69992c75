import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { OffsetRange } from './tracker.ts'

/** What is finished beyond a committed offset, and of which log that is true. */
export interface OffsetMap {
  /** The committed offset that it belongs to. */
  readonly base: number
  readonly topicId: string
  /** Of the last record that was read; -1 unknown. */
  readonly leaderEpoch: number
  /** Finished, in rising order, none touching another, none below `base`. */
  readonly ranges: readonly OffsetRange[]
}

/** What begins a map of ours, with its version. Metadata that begins otherwise is another tool's. */
const prefix = 'sluice1:'
/** More than this a map cannot hold: what claims to is damaged. */
const maxPayloadBytes = 1_048_576

/** Beyond this, long runs of the same bit are better told as runs, and quicker too. */
const maxBitsToRuns = 16

const form = { runs: 0, bits: 1, deflated: 2 } as const
const fixedBytes = 1 + 8 + 4 + 1

/**
 * The map as metadata of a commit: runs of unfinished and finished offsets, or a bit an offset, deflated where that is
 * shorter, as base64. Empty where nothing is finished ahead. The idea is the Parallel Consumer's (Confluent).
 */
export function encodeOffsetMap({ base, topicId, leaderEpoch, ranges }: OffsetMap): string {
  if (ranges.length === 0) return ''
  const id = Buffer.from(topicId)
  const { kind, payload } = shortest(base, ranges)
  const head = Buffer.alloc(fixedBytes + id.length)
  head.writeUInt8(kind, 0)
  head.writeBigInt64BE(BigInt(base), 1)
  head.writeInt32BE(leaderEpoch, 9)
  head.writeUInt8(id.length, 13)
  id.copy(head, fixedBytes)
  return prefix + Buffer.concat([head, payload]).toString('base64')
}

/** Undefined where it is not a map of ours, or damaged: then everything from the commit on is handled again. */
export function decodeOffsetMap(metadata: string): OffsetMap | undefined {
  if (!metadata.startsWith(prefix)) return undefined
  const bytes = Buffer.from(metadata.slice(prefix.length), 'base64')
  if (bytes.length < fixedBytes || bytes.length < fixedBytes + bytes[13]!) return undefined
  const base = Number(bytes.readBigInt64BE(1))
  const idEnd = fixedBytes + bytes[13]!
  const ranges = readRanges(base, bytes[0]!, bytes.subarray(idEnd))
  if (ranges === undefined) return undefined
  return { base, topicId: bytes.toString('utf8', fixedBytes, idEnd), leaderEpoch: bytes.readInt32BE(9), ranges }
}

function shortest(base: number, ranges: readonly OffsetRange[]): { kind: number; payload: Buffer } {
  const runs = writeRuns(base, ranges)
  const candidates = [{ kind: form.runs as number, payload: runs }]
  const bitBytes = Math.ceil((ranges.at(-1)!.end - base) / 8)
  if (bitBytes <= Math.min(maxPayloadBytes, runs.length * maxBitsToRuns)) {
    candidates.push({ kind: form.bits, payload: writeBits(base, ranges, bitBytes) })
  }
  const deflated = candidates.map(({ kind, payload }) => {
    return { kind: kind | form.deflated, payload: deflateRawSync(payload) }
  })
  return [...candidates, ...deflated].reduce((best, one) => (one.payload.length < best.payload.length ? one : best))
}

function writeRuns(base: number, ranges: readonly OffsetRange[]): Buffer {
  const bytes: number[] = []
  let at = base
  for (const { start, end } of ranges) {
    writeVarint(bytes, start - at)
    writeVarint(bytes, end - start)
    at = end
  }
  return Buffer.from(bytes)
}

function writeBits(base: number, ranges: readonly OffsetRange[], length: number): Buffer {
  const bits = Buffer.alloc(length)
  for (const { start, end } of ranges) {
    let bit = start - base
    const to = end - base
    for (; bit < to && (bit & 7) !== 0; bit++) bits[bit >>> 3]! |= 1 << (bit & 7)
    bits.fill(0xff, bit >>> 3, Math.max(bit, to) >>> 3)
    for (bit = Math.max(bit, to & ~7); bit < to; bit++) bits[bit >>> 3]! |= 1 << (bit & 7)
  }
  return bits
}

function readRanges(base: number, kind: number, packed: Buffer): OffsetRange[] | undefined {
  try {
    const isDeflated = (kind & form.deflated) !== 0
    const payload = isDeflated ? inflateRawSync(packed, { maxOutputLength: maxPayloadBytes }) : packed
    return (kind & form.bits) === 0 ? readRuns(base, payload) : readBits(base, payload)
  } catch {
    return undefined
  }
}

function readRuns(base: number, payload: Buffer): OffsetRange[] {
  const ranges: OffsetRange[] = []
  let at = base
  for (let index = 0; index < payload.length;) {
    const gap = readVarint(payload, index)
    const run = readVarint(payload, gap.next)
    index = run.next
    const start = at + gap.value
    at = start + run.value
    // Only the first may begin at the base: after a restart, up to there all may be finished already.
    if ((gap.value === 0 && ranges.length > 0) || run.value === 0) throw new RangeError('a run of nothing')
    ranges.push({ start, end: at })
  }
  return ranges
}

function readBits(base: number, payload: Buffer): OffsetRange[] {
  const ranges: { start: number; end: number }[] = []
  for (let bit = 0; bit < payload.length * 8; bit++) {
    if ((payload[bit >>> 3]! & (1 << (bit & 7))) === 0) continue
    const offset = base + bit
    const last = ranges.at(-1)
    if (last?.end === offset) last.end++
    else ranges.push({ start: offset, end: offset + 1 })
  }
  return ranges
}

function writeVarint(bytes: number[], value: number): void {
  let rest = value
  while (rest > 127) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
}

function readVarint(bytes: Buffer, from: number): { value: number; next: number } {
  let value = 0
  for (let index = from, scale = 1; ; index++, scale *= 128) {
    const byte = bytes[index]
    if (byte === undefined || scale > 2 ** 49) throw new RangeError('a number that does not end')
    value += (byte & 127) * scale
    if (byte < 128) return { value, next: index + 1 }
  }
}
