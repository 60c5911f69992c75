import { randomBytes } from 'node:crypto'
import { globSync, openSync, closeSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Compression, Kafka } from '@sluice/kafka'
import { bytes, topic } from '@sluice/kafka'
import {
  batchBytes,
  field,
  gzipMembers,
  messageSet,
  type OldMessage,
  type RawRecord,
  sealed,
  wrappedSet,
  zstdFrames,
} from './batch-bytes.ts'
import type { RawBroker } from './raw-broker.ts'

/** What a topic is filled by. */
export interface Filling {
  readonly kafka: Kafka
  readonly raw: RawBroker
  readonly random: () => number
  /** The folder of a partition's log on the broker's disk. */
  readonly logOf: (topic: string, partition: number) => string
}

export interface HostileTopic {
  readonly name: string
  readonly partitions: number
  readonly configs?: Readonly<Record<string, string>>
  /** The dead letter topic that is there before the first letter; without it Sluice makes its own. */
  readonly letters?: { readonly partitions: number; readonly configs?: Readonly<Record<string, string>> }
  /** Deletes its dead letter topic while it is read. */
  readonly deletesLetters?: boolean
  /** The log of its only partition, as it lies on the disk of the broker. */
  readonly log?: (random: () => number) => Buffer
  /** What need not be readable may be missing without a word as well, as after compaction: no record bears its offset. */
  readonly hasGaps?: boolean
  /** Returns what need not be readable. */
  readonly fill?: (filling: Filling, name: string) => Promise<Unreadables>
}

/** By partition: offsets that may be reported as unreadable. All others have to be handled or dead-lettered. */
export type Unreadables = ReadonlyMap<number, ReadonlySet<number>>

const none: Unreadables = new Map()

/** Records whose handler fails begin with F. */
function someRecords(random: () => number, count: number, more: Partial<RawRecord> = {}): RawRecord[] {
  return Array.from({ length: count }, () => ({
    key: Buffer.from(`key-${Math.floor(random() * 50)}`),
    value: Buffer.from(`${random() < 0.1 ? 'F' : 'G'} ${Math.floor(random() * 1e9)}`),
    ...more,
  }))
}

const beyondOneHour = { 'message.timestamp.after.max.ms': '9223372036854775807' }

const bombs: HostileTopic = {
  name: 'bombs',
  partitions: 3,
  configs: { 'max.message.bytes': '4000000' },
  async fill({ raw, random }, name) {
    const unreadable = new Map<number, Set<number>>()
    const good = batchBytes(someRecords(random, 20))
    const value = Buffer.from('G bomb')
    const makers: (() => Buffer)[] = [
      () => batchBytes([{ value, emptyHeaders: 33_000_000 }], 'zstd'),
      () => batchBytes([{ value, emptyHeaders: 1_000_000 }, ...someRecords(random, 5)], 'gzip'),
      () => batchBytes([{ value: Buffer.alloc(200 * 2 ** 20, 71) }], 'zstd'),
      () => batchBytes([{ value: Buffer.alloc(100 * 2 ** 20, 71) }], 'gzip'),
      () => batchBytes(tiny(300_000), 'zstd'),
      () => batchBytes(someRecords(random, 50, { headers: manyHeaders(200) }), 'zstd'),
    ]
    for (const make of shuffled(makers, random)) {
      const partition = Math.floor(random() * 3)
      await raw.produce(name, partition, good)
      const bomb = make()
      const base = await raw.produce(name, partition, bomb)
      const own = unreadable.get(partition) ?? new Set()
      // Any of these may be past a bound; what is in the same batch may go with it.
      if (bomb.readInt32BE(field.count) < 10) range(base, bomb.readInt32BE(field.count)).forEach((o) => own.add(o))
      unreadable.set(partition, own)
      await raw.produce(name, partition, good)
    }
    return unreadable
  },
}

/** A byte of key and a byte of value each. */
const tiny = (count: number): RawRecord[] =>
  Array.from({ length: count }, (_, n) => ({ key: Buffer.of(n & 255), value: Buffer.of(71), timestamp: 1n }))

const manyHeaders = (count: number): [Buffer, Buffer][] =>
  Array.from({ length: count }, (_, n) => [Buffer.from(`h${n}`), Buffer.from('v')])

/** Damage that the disk or a broken writer does to a batch: its checksum fits afterwards, but for the first. */
const damages: readonly ((batch: Buffer) => Buffer)[] = [
  (batch) => (batch.writeUInt8(batch[batch.length - 1]! ^ 255, batch.length - 1), batch),
  (batch) => (batch.writeInt32BE(1_000, field.count), sealed(batch)),
  (batch) => (batch.writeInt32BE(-5, field.count), sealed(batch)),
  (batch) => (batch.writeInt16BE(7, field.attributes), sealed(batch)),
  (batch) => (batch.writeInt16BE(4, field.attributes), sealed(batch)),
  (batch) => (batch.fill(255, field.records, field.records + 12), sealed(batch)),
]

const damaged: HostileTopic = {
  name: 'damaged',
  partitions: 2,
  async fill({ raw, random, logOf }, name) {
    const unreadable = new Map<number, Set<number>>([0, 1].map((partition) => [partition, new Set()]))
    for (const damage of shuffled(damages, random)) {
      const partition = Math.floor(random() * 2)
      await raw.produce(name, partition, batchBytes(someRecords(random, 10)))
      const base = await raw.produce(name, partition, batchBytes(someRecords(random, 10)))
      range(base, 10).forEach((offset) => unreadable.get(partition)!.add(offset))
      await raw.produce(name, partition, batchBytes(someRecords(random, 10)))
      rewrite(logOf(name, partition), base, damage)
    }
    return unreadable
  },
}

/**
 * Records whose offsets are not those of their batch: brokers look at them only where a batch is compressed. The delta
 * of an offset stands behind the record's length, its attributes and the delta of its time, a byte each.
 */
const offsets: HostileTopic = {
  name: 'offsets',
  partitions: 2,
  hasGaps: true,
  async fill({ raw, random }, name) {
    const unreadable = new Map<number, Set<number>>([0, 1].map((partition) => [partition, new Set()]))
    const offsetDelta = field.records + 3
    for (const delta of shuffled([126, 1, 2, 4], random)) {
      const partition = Math.floor(random() * 2)
      await raw.produce(name, partition, batchBytes(someRecords(random, 10)))
      const lie = batchBytes(someRecords(random, 3))
      lie.writeUInt8(delta, offsetDelta)
      const base = await raw.produce(name, partition, sealed(lie))
      range(base, 3).forEach((offset) => unreadable.get(partition)!.add(offset))
      await raw.produce(name, partition, batchBytes(someRecords(random, 10)))
    }
    return unreadable
  },
}

/** Changes a batch where it lies on the disk; the broker sends its bytes as they are. */
function rewrite(folder: string, baseOffset: number, damage: (batch: Buffer) => Buffer): void {
  const [file = ''] = globSync('*.log', { cwd: folder })
  const path = join(folder, file)
  const log = readFileSync(path)
  for (let at = 0; at < log.length;) {
    const end = at + 12 + log.readInt32BE(at + field.length)
    if (Number(log.readBigInt64BE(at)) === baseOffset) {
      const descriptor = openSync(path, 'r+')
      writeSync(descriptor, damage(Buffer.from(log.subarray(at, end))), 0, end - at, at)
      return closeSync(descriptor)
    }
    at = end
  }
  throw new Error(`no batch begins at ${baseOffset} in ${path}`)
}

function oldFormat(format: 0 | 1): HostileTopic {
  return {
    name: `old-v${format}`,
    partitions: 1,
    log(random) {
      const set = (from: number, count: number): OldMessage[] =>
        someRecords(random, count).map(({ key = null, value }, index) => {
          const offset = from + index
          return { offset, key, value: value!, timestampMs: 1_600_000_000_000 + offset }
        })
      const later = batchBytes(someRecords(random, 10), 'zstd')
      later.writeBigInt64BE(80n, 0)
      return Buffer.concat([
        messageSet(format, set(0, 10)),
        wrappedSet(format, set(10, 40)),
        messageSet(format, set(50, 5)),
        wrappedSet(format, set(55, 25)),
        later,
      ])
    },
  }
}

/** Of every unit that was met in the field, and of none. */
const timestamps = (nowMs: number): bigint[] => [
  BigInt(nowMs),
  BigInt(nowMs) * 1_000n,
  BigInt(nowMs) * 1_000_000n,
  BigInt(Math.floor(nowMs / 1_000)),
  BigInt(nowMs) + 7_200_000n,
  BigInt(nowMs) + 9n * 3_600_000n,
  2n ** 63n - 1n,
  -1n,
  0n,
]

function times(name: string, letters: HostileTopic['letters']): HostileTopic {
  return {
    name,
    partitions: 3,
    configs: beyondOneHour,
    ...(letters && { letters }),
    async fill({ raw, random }, target) {
      for (let round = 0; round < 4; round++) {
        for (const timestamp of shuffled(timestamps(Date.now()), random)) {
          const value = Buffer.from(random() < 0.5 ? 'F at its time' : 'G at its time')
          const batch = batchBytes([{ key: Buffer.from(`${timestamp}`), value, timestamp }])
          await raw.produce(target, Math.floor(random() * 3), batch)
        }
      }
      return none
    },
  }
}

/** The largest record that the topic takes in this compression, one that is over, and small ones between. */
function limits(compression: Compression, letters?: HostileTopic['letters']): HostileTopic {
  return {
    name: `limits-${compression}${letters ? '-given' : ''}`,
    partitions: 2,
    ...(letters && { letters }),
    async fill({ kafka, random }, name) {
      const large = { maxRecordBytes: 8 * 2 ** 20, maxRequestBytes: 8 * 2 ** 20 }
      await using producer = await kafka.producer({ ...large, compression, lingerMs: 0, deadLetters: false })
      const target = topic(name, { key: bytes, value: bytes })
      // Base64 of random bytes: compresses to three quarters, as a picture in JSON does.
      const text = randomBytes(3 * 2 ** 20).toString('base64')
      const valueOf = (size: number, first: string): Buffer => Buffer.from(first + text.slice(0, size - 1))
      const takes = (size: number): Promise<boolean> =>
        producer.send(target, { key: null, value: valueOf(size, 'F'), partition: 0 }).then(
          () => true,
          () => false,
        )
      let [fits, over] = [1_000, 3_000_000]
      while (over - fits > 1) {
        const middle = Math.floor((fits + over) / 2)
        if (await takes(middle)) fits = middle
        else over = middle
      }
      for (const first of ['F', 'G', 'F']) {
        await producer.send(target, { key: Buffer.from(first), value: valueOf(fits - 200, first), partition: 1 })
        await producer.send(target, { key: Buffer.from(first), value: Buffer.from(`G ${random()}`), partition: 1 })
      }
      return none
    },
  }
}

function letterTopic(name: string, given: Partial<HostileTopic>): HostileTopic {
  return {
    name,
    partitions: 4,
    ...given,
    async fill({ raw, random }, target) {
      for (let n = 0; n < 40; n++) {
        const records = someRecords(random, 5, { key: random() < 0.5 ? null : Buffer.from('k') })
        const long = { value: Buffer.from(`F ${'long '.repeat(1_000)}`) }
        await raw.produce(target, Math.floor(random() * 4), batchBytes([...records, long]))
      }
      return none
    },
  }
}

/** Compressed batches of several frames or members: legal, and rare. */
const frames: HostileTopic = {
  name: 'frames',
  partitions: 1,
  async fill({ raw, random }, name) {
    for (let round = 0; round < 3; round++) {
      await raw.produce(name, 0, batchBytes(someRecords(random, 30), 'zstd', zstdFrames))
      await raw.produce(name, 0, batchBytes(someRecords(random, 30), 'gzip', gzipMembers))
    }
    return none
  },
}

export const hostileTopics: readonly HostileTopic[] = [
  bombs,
  damaged,
  offsets,
  oldFormat(0),
  oldFormat(1),
  times('times', undefined),
  times('times-given', { partitions: 3 }),
  ...(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const).map((compression) => limits(compression)),
  limits('zstd', { partitions: 2 }),
  limits('none', { partitions: 2 }),
  letterTopic('narrower', { letters: { partitions: 1 } }),
  letterTopic('smaller', { letters: { partitions: 4, configs: { 'max.message.bytes': '2000' } } }),
  letterTopic('compacted', { letters: { partitions: 4, configs: { 'cleanup.policy': 'compact' } } }),
  letterTopic('deleted', { deletesLetters: true }),
  frames,
]

function range(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, n) => from + n)
}

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((value) => ({ value, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value)
}
