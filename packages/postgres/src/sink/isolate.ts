import { faultOf, isCanceled } from '../sql/fault.ts'
import type { Transaction } from '../sql/transaction.ts'

/**
 * Does for all of a list what can be done, and finds what cannot: a part that fails is undone and halved, down to single
 * ones. Constraints that would be checked at COMMIT are checked with each part.
 * @param call does it for a part
 * @param onFailed is told of a single one that failed, and throws to give all of it up
 * @throws what `onFailed` throws, and every error that is no fault of a record
 */
export async function isolate<R>(
  tx: Transaction,
  records: readonly R[],
  call: (part: readonly R[]) => Promise<unknown>,
  onFailed: (record: R, error: unknown) => void,
): Promise<void> {
  if (records.length === 0) return
  await tx.query('SAVEPOINT sluice_part; SET CONSTRAINTS ALL DEFERRED')
  try {
    await call(records)
    await tx.query('SET CONSTRAINTS ALL IMMEDIATE; RELEASE SAVEPOINT sluice_part')
    return
  } catch (error) {
    if (faultOf(error) !== 'record' && !isCanceled(error)) throw error
    await tx.query('ROLLBACK TO SAVEPOINT sluice_part; RELEASE SAVEPOINT sluice_part')
    if (records.length === 1) return onFailed(records[0]!, error)
  }
  const half = records.length >> 1
  await isolate(tx, records.slice(0, half), call, onFailed)
  await isolate(tx, records.slice(half), call, onFailed)
}
