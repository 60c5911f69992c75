/** Kafka's seed and constants of MurmurHash2, 32 bit (Austin Appleby). */
const seed = 0x9747b28c
const multiplier = 0x5bd1e995

/** MurmurHash2 as Java's client computes it: a signed 32-bit number. */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length
  const tail = length & ~3
  let hash = seed ^ length
  for (let i = 0; i < tail; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    k = Math.imul(k, multiplier)
    k ^= k >>> 24
    hash = Math.imul(hash, multiplier) ^ Math.imul(k, multiplier)
  }
  const left = length & 3
  if (left === 3) hash ^= bytes[tail + 2]! << 16
  if (left >= 2) hash ^= bytes[tail + 1]! << 8
  if (left >= 1) hash = Math.imul(hash ^ bytes[tail]!, multiplier)
  hash ^= hash >>> 13
  hash = Math.imul(hash, multiplier)
  return hash ^ (hash >>> 15)
}

/** The partition of a key: where Java's default partitioner puts it. */
export function partitionOfKey(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

/** What is known of a partition when one has to be chosen. */
export interface PartitionLoad {
  /** Whether a leader takes its batches. */
  isAvailable(partition: number): boolean
  /** Batches that wait for it already. */
  backlog(partition: number): number
}

/**
 * The partition that the next batch of records without a key sticks to (KIP-480), of those with a leader: the less
 * loaded of two drawn at random, so that a slow broker does not gather the whole queue.
 */
export function stickyPartition(partitions: number, load: PartitionLoad, random: () => number = Math.random): number {
  const draw = (): number => nextAvailable(Math.floor(random() * partitions), partitions, load)
  const [first, second] = [draw(), draw()]
  return load.backlog(second) < load.backlog(first) ? second : first
}

/** From `start` on, around; `start` itself where no partition has a leader. */
function nextAvailable(start: number, partitions: number, load: PartitionLoad): number {
  for (let step = 0; step < partitions; step++) {
    const partition = (start + step) % partitions
    if (load.isAvailable(partition)) return partition
  }
  return start
}
