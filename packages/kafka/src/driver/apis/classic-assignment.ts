import type { ClassicMember } from '../driver.ts'

/**
 * Reads what a member of a classic group was assigned, as its leader wrote it for the protocol `consumer`: a version,
 * topics with their partitions, the user's data. Bytes of another protocol are read as nothing.
 */
export function readClassicAssignment(bytes: Buffer): ClassicMember['assignment'] {
  if (bytes.length < 6) return []
  try {
    return readTopics(bytes)
  } catch {
    return []
  }
}

/** @throws RangeError where it is something else */
function readTopics(bytes: Buffer): ClassicMember['assignment'] {
  let at = 2
  const int32 = (): number => {
    at += 4
    return bytes.readInt32BE(at - 4)
  }
  const topics: { topic: string; partitions: number[] }[] = []
  for (let topicsLeft = int32(); topicsLeft > 0; topicsLeft--) {
    const start = at + 2
    at = start + bytes.readInt16BE(at)
    const topic = bytes.toString('utf8', start, at)
    const partitions: number[] = []
    for (let left = int32(); left > 0; left--) partitions.push(int32())
    topics.push({ topic, partitions })
  }
  return topics
}
