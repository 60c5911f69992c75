import { crc32c as wasmCrc32c, lz4Compress as wasmLz4Compress, snappyCompress } from '@platformatic/wasm-utils'
import { isLibraryLoaded, library } from './library.ts'

// The WebAssembly routines of the driver's library, all synchronous. Its decompressors are not used: on malformed input
// they trap, and a trap damages the WebAssembly instance for all that comes after.

/**
 * CRC-32C (Castagnoli) of the bytes, unsigned. The loaded library has a native routine where one is installed: with large
 * batches it takes an eighth of the time. It copies a Buffer that is not wrapped.
 */
export function crc32c(bytes: Buffer): number {
  if (!isLibraryLoaded()) return wasmCrc32c(bytes)
  const { crc32c: libraryCrc32c, Reader } = library()
  return libraryCrc32c(Reader.from(bytes).buffer)
}

/** One LZ4 frame of independent blocks. */
export function lz4Compress(bytes: Buffer): Buffer {
  return wasmLz4Compress(bytes)
}

/** One raw Snappy block. */
export function snappyCompressBlock(bytes: Buffer): Buffer {
  return snappyCompress(bytes)
}
