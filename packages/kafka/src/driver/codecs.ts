import { compressionsAlgorithms, crc32c as libraryCrc32c, Reader } from '@platformatic/kafka'

// What the batch codec takes from the library: WebAssembly (or native) routines, all synchronous. Its decompressors are
// not taken: on malformed input they trap, and a trap damages the WebAssembly instance for all that comes after.

/** CRC-32C (Castagnoli) of the bytes, unsigned. The library copies a Buffer that is not wrapped. */
export function crc32c(bytes: Buffer): number {
  return libraryCrc32c(Reader.from(bytes).buffer)
}

/** One LZ4 frame of independent blocks. */
export function lz4Compress(bytes: Buffer): Buffer {
  return compressionsAlgorithms.lz4.compressSync(bytes)
}

/** One raw Snappy block. */
export function snappyCompressBlock(bytes: Buffer): Buffer {
  return compressionsAlgorithms.snappy.compressSync(bytes)
}
