import { fetchV17 } from '@platformatic/kafka'
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import type { FetchRequest } from '../driver.ts'
import { loadLibrary } from '../library.ts'
import { writeFetch } from './fetch-request.ts'

beforeAll(loadLibrary)

const int32 = fc.integer({ min: -1, max: 2 ** 31 - 1 })
const partition = fc.record({
  topicId: fc.constantFrom(...Array.from({ length: 200 }, () => crypto.randomUUID())),
  partition: fc.nat(),
  fetchOffset: fc.maxSafeNat(),
  maxBytes: int32,
  currentLeaderEpoch: int32,
  lastFetchedEpoch: int32,
})

test('a fetch is written as the library would write it', () => {
  fc.assert(
    fc.property(
      fc.record<FetchRequest>({
        isolation: fc.constantFrom('read_committed', 'read_uncommitted'),
        maxWaitMs: fc.nat(),
        minBytes: fc.nat(),
        maxBytes: fc.nat(),
        rackId: fc.string({ maxLength: 200 }),
        partitions: fc.array(partition, { maxLength: 400 }),
      }),
      (request) => {
        expect(writeFetch(request).buffer.equals(written(request))).toBe(true)
      },
    ),
  )
})

function written({ isolation, maxWaitMs, minBytes, maxBytes, rackId, partitions }: FetchRequest): Buffer {
  const topics = [...new Set(partitions.map(({ topicId }) => topicId))].map((topicId) => ({
    topicId,
    partitions: partitions
      .filter((one) => one.topicId === topicId)
      .map((one) => ({
        partition: one.partition,
        currentLeaderEpoch: one.currentLeaderEpoch,
        fetchOffset: BigInt(one.fetchOffset),
        lastFetchedEpoch: one.lastFetchedEpoch,
        partitionMaxBytes: one.maxBytes,
      })),
  }))
  const level = isolation === 'read_committed' ? 1 : 0
  return fetchV17.createRequest(maxWaitMs, minBytes, maxBytes, level, 0, -1, topics, [], rackId).buffer
}
