/** zlib's own. */
const standardBytes = 16_384
const largeBytes = 4_194_304

/**
 * The room that zlib is given at once for a text of up to `expected` bytes. It gathers its output in pieces and copies
 * them together, which takes twice the memory: what may become large gets one piece, of which only what is written is
 * ever touched. One byte more than needed, or a further piece would follow a full one.
 */
export function chunkSize(expected: number): number {
  return expected > largeBytes ? expected + 1 : standardBytes
}
