/** How the records of a batch are compressed. The number is the codec's in the batch's attributes. */
export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** Who writes a batch, for the broker's check against duplicates and gaps (KIP-98). */
export interface BatchIdentity {
  readonly producerId: bigint
  readonly epoch: number
  readonly baseSequence: number
  readonly transactional: boolean
}
