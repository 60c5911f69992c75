import type { LinesOf } from '../log/lines.ts'
import type { TransactionEvents } from './transaction-commits.ts'

/** How the transactions of a pipe are logged: see docs/logging.md, which a test compares with it. */
export const transactionLines: LinesOf<TransactionEvents> = {
  committed: {
    level: 'debug',
    say: ({ offsets, outputs }) =>
      `a transaction committed ${outputs} records and the offsets of ${offsets} partitions`,
  },
  aborted: {
    level: 'warn',
    warns: true,
    say: ({ outputs, error }) =>
      `a transaction of ${outputs} records was aborted, the next writes them: ${error.message}`,
  },
  fenced: {
    level: 'error',
    warns: true,
    say: ({ error }) => `another process took over, and this pipe ends: ${error.message}`,
  },
}
