import type { ChunkReader } from '../chunk-reader.ts'
import type { PartitionResult } from '../driver.ts'
import { groupBy } from '../group-by.ts'

/** Flat items as most requests want them: a topic's name, and its partitions. */
export function perTopic<Item extends { readonly topic: string }, Wire>(
  items: readonly Item[],
  wireOf: (item: Item) => Wire,
): { name: string; partitions: Wire[] }[] {
  return Array.from(
    groupBy(items, ({ topic }) => topic),
    ([name, ofTopic]) => ({ name, partitions: ofTopic.map(wireOf) }),
  )
}

/** An answer that is a throttle time, then partitions by topic. */
export function readByTopic<Partition>(answer: ChunkReader, read: (topic: string) => Partition): readonly Partition[] {
  answer.skip(4)
  return readTopics(answer, read)
}

/** As `readByTopic`, of what says nothing but whether it was done. */
export function readResults(answer: ChunkReader): readonly PartitionResult[] {
  return readByTopic(answer, (topic) => ({ topic, partition: answer.int32(), errorCode: answer.int16() }))
}

export function readTopics<Partition>(answer: ChunkReader, read: (topic: string) => Partition): readonly Partition[] {
  const partitions: Partition[] = []
  answer.array(() => {
    const topic = answer.string() ?? ''
    answer.array(() => {
      partitions.push(read(topic))
      answer.taggedFields()
    })
    answer.taggedFields()
  })
  return partitions
}
