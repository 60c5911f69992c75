import { decodeRecords, readBatchHeaders } from '../../batch/decode.ts'
import type { SimulatedCluster } from './simulated-cluster.ts'

/** A batch as a broker was asked to write it. */
export interface SentBatchView {
  readonly broker: number
  readonly atMs: number
  readonly partition: number
  readonly producerId: number
  readonly epoch: number
  readonly sequence: number
  readonly values: readonly string[]
  readonly bytes: Buffer
}

/** All batches in all requests so far, in order. */
export function sentBatches({ requests }: SimulatedCluster): SentBatchView[] {
  return requests.flatMap(({ broker, atMs, request }) =>
    request.batches.map(({ partition, batch }) => {
      const header = [...readBatchHeaders(batch)][0]!
      return {
        broker,
        atMs,
        partition,
        producerId: Number(header.producerId),
        epoch: header.epoch,
        sequence: header.baseSequence,
        values: decodeRecords(batch, header).map(({ value }) => String(value)),
        bytes: batch,
      }
    }),
  )
}
