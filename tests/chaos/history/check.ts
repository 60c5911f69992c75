import { Handlings } from './handlings.ts'
import type { Columns, History } from './history.ts'
import { LogView } from './log-view.ts'
import { Verdict } from './verdict.ts'

export interface CheckOptions {
  /** Whether a record may be handled again by a later incarnation of its partition. */
  readonly effects: 'exactly once' | 'at least once'
  /** Everything in the log was to be handled by now. */
  readonly complete: boolean
}

/**
 * Looks for what must never be, the anomalies of Jepsen's Kafka analyses (Kingsbury, 2022 and 2024): `lost`,
 * `duplicate`, `aborted read`, `reorder`, `gap`, `torn transaction`; beside them `unhandled`, `phantom`, `misplaced`.
 * One pass over each column: a million records take well under two seconds.
 */
export function check(history: History, options: CheckOptions): Verdict {
  const { columns } = history
  const verdict = new Verdict()
  const log = new LogView(columns, verdict)
  checkAcknowledged(columns, log, verdict)
  checkTransactions(columns, log, verdict)
  new Handlings(columns, log, verdict, options).check()
  return verdict
}

const acknowledged = 0
const refused = 1
const committed = 0

/** Every record outside a transaction that was acknowledged is in the log. */
function checkAcknowledged({ sends }: Columns, log: LogView, verdict: Verdict): void {
  for (let id = 0; id < sends.outcome.length; id++) {
    if (sends.transaction[id] !== -1 || sends.outcome[id] !== acknowledged) continue
    if (!log.has(id)) verdict.add('lost', id)
  }
}

/** Of a transaction everything is in the log, or nothing; of a committed one everything. */
function checkTransactions({ sends, transactions }: Columns, log: LogView, verdict: Verdict): void {
  const sent = new Int32Array(transactions.length)
  const seen = new Int32Array(transactions.length)
  for (let id = 0; id < sends.transaction.length; id++) {
    const transaction = sends.transaction[id]!
    if (transaction === -1 || sends.outcome[id] === refused) continue
    sent[transaction]!++
    if (log.has(id)) seen[transaction]!++
  }
  for (let transaction = 0; transaction < transactions.length; transaction++) {
    if (transactions[transaction] === 1) continue
    const [all, some] = [sent[transaction]!, seen[transaction]!]
    if (some > 0 && some < all) verdict.add('torn transaction', transaction)
  }
  for (let id = 0; id < sends.transaction.length; id++) {
    const transaction = sends.transaction[id]!
    if (transaction === -1 || transactions[transaction] !== committed || sends.outcome[id] === refused) continue
    if (seen[transaction] === 0) verdict.add('lost', id)
  }
}
