import type { Compression } from '../batch/batch.ts'
import type { PendingRecord } from './pending-record.ts'

/** The record that an output came of. */
export interface OutputSource {
  readonly offset: number
  /** Of the handler's call. */
  readonly attempt: number
  /** Of the batch that it was read in. */
  readonly compression: Compression | undefined
}

/** A record that came of handling another: it is written in the transaction that commits the other's offset. */
export interface Output {
  readonly topic: string
  readonly record: PendingRecord
  /** Of a letter: as its source was. Default: the pipe's. */
  readonly compression?: Compression | undefined
  /** Of what a handler returned. */
  readonly source?: OutputSource | undefined
  /** Of a letter: what to write instead, where its topic refused it. @throws where there is nothing */
  readonly again?: ((error: unknown) => Promise<Output>) | undefined
  /** Makes its topic again where that is gone. */
  readonly remake?: (() => Promise<void>) | undefined
  /** Called once the transaction that wrote it is committed. */
  readonly onCommitted?: (() => void) | undefined
}
