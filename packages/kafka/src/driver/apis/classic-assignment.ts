import { ChunkReader } from '../chunk-reader.ts'
import type { ClassicMember } from '../driver.ts'

/**
 * Reads what a member of a classic group was assigned, as its leader wrote it for the protocol `consumer`: a version,
 * topics with their partitions, the user's data. Bytes of another protocol are read as nothing.
 */
export function readClassicAssignment(bytes: Buffer): ClassicMember['assignment'] {
  const reader = new ChunkReader([bytes])
  try {
    reader.skip(2)
    return reader.plainArray(() => ({
      topic: reader.plainString() ?? '',
      partitions: reader.plainArray(() => reader.int32()),
    }))
  } catch {
    return []
  }
}
