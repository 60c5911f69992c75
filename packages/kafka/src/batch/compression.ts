import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { lz4Compress } from '../driver/codecs.ts'
import { BatchTooLargeError } from '../errors.ts'
import type { Compression } from './batch.ts'
import { chunkSize } from './chunk-size.ts'
import { lz4Decompress } from './lz4-frame.ts'
import { snappyCompress, snappyDecompress } from './snappy-stream.ts'
import { zstdDecompress } from './zstd-frames.ts'

/** In the order of their numbers in a batch's attributes. */
export const compressions: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** The number of a compression in a batch's attributes. */
export function compressionBits(compression: Compression): number {
  return compressions.indexOf(compression)
}

/** Compresses as Java's client does. */
export function compress(compression: Exclude<Compression, 'none'>, bytes: Buffer): Buffer {
  switch (compression) {
    case 'gzip':
      return gzipSync(bytes)
    case 'snappy':
      return snappyCompress(bytes)
    case 'lz4':
      return lz4Compress(bytes)
    case 'zstd':
      return zstdCompressSync(bytes)
  }
}

/**
 * Decompresses, never into more than `maxBytes`.
 * @throws BatchTooLargeError where it would be more. Any other error: the bytes are damaged.
 */
export function decompress(compression: Exclude<Compression, 'none'>, bytes: Buffer, maxBytes: number): Buffer {
  switch (compression) {
    case 'gzip':
      return bounded(maxBytes, () =>
        gunzipSync(bytes, { maxOutputLength: maxBytes, chunkSize: gzipChunk(bytes, maxBytes) }),
      )
    case 'snappy':
      return snappyDecompress(bytes, maxBytes)
    case 'lz4':
      return lz4Decompress(bytes, maxBytes)
    case 'zstd':
      return zstdDecompress(bytes, maxBytes)
  }
}

/** Deflate makes no more of a byte. */
const largestGzipRatio = 1_032

/** A member ends with its size, which may be a lie. */
function gzipChunk(bytes: Buffer, maxBytes: number): number {
  const size = bytes.length < 4 ? 0 : bytes.readUInt32LE(bytes.length - 4)
  return chunkSize(Math.min(size, maxBytes, bytes.length * largestGzipRatio))
}

function bounded(maxBytes: number, run: () => Buffer): Buffer {
  try {
    return run()
  } catch (error) {
    if (error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE') {
      throw new BatchTooLargeError(maxBytes, error)
    }
    throw error
  }
}
