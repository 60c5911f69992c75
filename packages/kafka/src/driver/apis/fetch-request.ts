import type { Writer } from '@platformatic/kafka'
import type { FetchPartition, FetchRequest } from '../driver.ts'
import { groupBy } from '../group-by.ts'
import { library } from '../library.ts'

/** Without a fetch session (KIP-227): every request names its partitions, so pausing one is leaving it out. */
const noSession = { id: 0, epoch: -1 }

/** Of a partition: number, leader epoch, offset, fetched epoch, log start, limit, and no tagged fields. */
const partitionBytes = 4 + 4 + 8 + 4 + 8 + 4 + 1
const uuidBytes = 16
const longestVarint = 5

/**
 * Fetch, version 17, in one piece: the library's writer makes a buffer of its own for each field, which for thousands of
 * partitions takes longer than all the rest of a fetch.
 */
export function writeFetch(request: FetchRequest): Writer {
  const topics = groupBy(request.partitions, ({ topicId }) => topicId)
  const rack = Buffer.from(request.rackId)
  const buffer = Buffer.allocUnsafe(
    64 + rack.length + topics.size * (uuidBytes + longestVarint + 1) + request.partitions.length * partitionBytes,
  )
  let at = buffer.writeInt32BE(request.maxWaitMs, 0)
  at = buffer.writeInt32BE(request.minBytes, at)
  at = buffer.writeInt32BE(request.maxBytes, at)
  at = buffer.writeInt8(request.isolation === 'read_committed' ? 1 : 0, at)
  at = buffer.writeInt32BE(noSession.id, at)
  at = buffer.writeInt32BE(noSession.epoch, at)
  at = writeVarint(buffer, topics.size + 1, at)
  for (const [topicId, partitions] of topics) at = writeTopic(buffer, topicId, partitions, at)
  // No partitions of a session to be forgotten.
  at = writeVarint(buffer, 1, at)
  at = writeVarint(buffer, rack.length + 1, at)
  at += rack.copy(buffer, at)
  at = writeVarint(buffer, 0, at)
  return library().Writer.create().append(buffer.subarray(0, at))
}

function writeTopic(buffer: Buffer, topicId: string, partitions: readonly FetchPartition[], from: number): number {
  let at = from + buffer.write(topicId.replaceAll('-', ''), from, 'hex')
  at = writeVarint(buffer, partitions.length + 1, at)
  for (const partition of partitions) {
    at = buffer.writeInt32BE(partition.partition, at)
    at = buffer.writeInt32BE(partition.currentLeaderEpoch, at)
    at = writeInt64(buffer, partition.fetchOffset, at)
    at = buffer.writeInt32BE(partition.lastFetchedEpoch, at)
    // What a follower says of its log.
    at = writeInt64(buffer, -1, at)
    at = buffer.writeInt32BE(partition.maxBytes, at)
    at = writeVarint(buffer, 0, at)
  }
  return writeVarint(buffer, 0, at)
}

/** A safe integer, without the detour by a BigInt. */
function writeInt64(buffer: Buffer, value: number, at: number): number {
  const high = Math.floor(value / 4_294_967_296)
  buffer.writeInt32BE(high, at)
  return buffer.writeUInt32BE(value - high * 4_294_967_296, at + 4)
}

function writeVarint(buffer: Buffer, value: number, from: number): number {
  let at = from
  let left = value
  while (left >= 0x80) {
    buffer[at++] = (left & 0x7f) | 0x80
    left >>>= 7
  }
  buffer[at++] = left
  return at
}
