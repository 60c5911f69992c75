import { compressionsAlgorithms, crc32c as libraryCrc32c, Reader } from '@platformatic/kafka'

// What the batch codec takes from the library: WebAssembly (or native) routines, all synchronous.

/** CRC-32C (Castagnoli) of the bytes, unsigned. The library copies a Buffer that is not wrapped. */
export function crc32c(bytes: Buffer): number {
  return libraryCrc32c(Reader.from(bytes).buffer)
}

/** One LZ4 frame of independent blocks. */
export function lz4Compress(bytes: Buffer): Buffer {
  return compressionsAlgorithms.lz4.compressSync(bytes)
}

/** One LZ4 frame. Unbounded, and dies in WebAssembly on malformed input: check the frame first. */
export function lz4Decompress(frame: Buffer): Buffer {
  return compressionsAlgorithms.lz4.decompressSync(frame)
}

/** One raw Snappy block. */
export function snappyCompressBlock(bytes: Buffer): Buffer {
  return compressionsAlgorithms.snappy.compressSync(bytes)
}

/** One raw Snappy block, whose size its first bytes say. Dies in WebAssembly on malformed input. */
export function snappyDecompressBlock(block: Buffer): Buffer {
  return compressionsAlgorithms.snappy.decompressSync(block)
}
