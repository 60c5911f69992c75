import { createHash } from 'node:crypto'

/** A number for an advisory lock, out of what it stands for: the first 64 bits of a digest. */
export function lockKey(...parts: readonly (string | number | Uint8Array)[]): bigint {
  const hash = createHash('sha256')
  for (const part of parts) {
    const bytes = typeof part === 'object' ? part : Buffer.from(String(part))
    // With its length, so that parts cannot run into each other.
    hash.update(`${bytes.length}:`).update(bytes)
  }
  return hash.digest().readBigInt64BE()
}
