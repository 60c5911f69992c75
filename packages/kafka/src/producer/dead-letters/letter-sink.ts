import type { DeadLetterRecord } from '../../failure/dead-letter-record.ts'

/** Where a producer's dead letters go: a part of `DeadLetterWriter`, which has producers of its own. */
export interface LetterSink {
  /** Resolves when it is acknowledged. @throws what no attempt can mend; the signal's reason */
  write(
    record: DeadLetterRecord,
    options: { readonly signal: AbortSignal; readonly onFailure: (error: unknown) => void },
  ): Promise<unknown>
  close(timeoutMs: number): Promise<void>
}
