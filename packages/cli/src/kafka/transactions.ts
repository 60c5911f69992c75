import type { Admin, OpenTransaction, SurveyOptions, TransactionDescription } from '@sluice/kafka'
import { CliError } from '../cli-error.ts'
import { clockText } from '../duration.ts'
import { nearest } from '../nearest.ts'
import type { Unknown } from '../output/unknown.ts'
import { isoTime } from '../records/record-text.ts'
import { groupsOf } from './groups.ts'
import { isRefused } from './refused.ts'

/** The states of a transaction that is not over. */
export const openStates = ['Ongoing', 'PrepareCommit', 'PrepareAbort'] as const

/** A transaction that is open in a partition, and the transactional id that it is of. */
export interface OwnedTransaction extends OpenTransaction {
  /** Null: no coordinator knows it, so it never ends by itself. Undefined: a coordinator did not answer. */
  readonly transactionalId: string | null | undefined
}

/** The open transactions of partitions, and why it is not known whose some of them are. */
export interface OwnedTransactions {
  readonly open: readonly OwnedTransaction[]
  readonly unknown: readonly Unknown[]
}

/** What leaders and coordinators know of the transactions that are open in these topics. */
export async function openTransactionsIn(
  admin: Admin,
  topics: readonly string[],
  options: SurveyOptions,
): Promise<OwnedTransactions> {
  const before = await admin.openTransactions(topics)
  if (before.length === 0) return { open: [], unknown: [] }
  const { transactions, unknown } = await admin.surveyTransactions({ ...options, states: openStates })
  // One that ended after the first look has left its coordinator, but looks as if none had known it.
  const still = new Set((await admin.openTransactions(topics)).map(keyOf))
  const open = before
    .filter((one) => still.has(keyOf(one)))
    .map((one) => ({ ...one, transactionalId: ownerOf(one, transactions, unknown.length > 0) }))
  return { open, unknown: unknown.map(coordinatorsOf) }
}

/** The transactions that a broker did not tell. */
export function coordinatorsOf(unknown: Parameters<typeof groupsOf>[0]): Unknown {
  const { what, error } = groupsOf(unknown)
  return { what: what.replace('the groups', 'the transactions'), error }
}

function ownerOf(
  { topic, partition, producerId }: OpenTransaction,
  transactions: readonly TransactionDescription[],
  isIncomplete: boolean,
): string | null | undefined {
  const owner = transactions.find(
    (one) =>
      one.producerId === producerId &&
      one.partitions.some((place) => place.topic === topic && place.partition === partition),
  )
  return owner?.transactionalId ?? (isIncomplete ? undefined : null)
}

function keyOf({ topic, partition, producerId, startOffset }: OpenTransaction): string {
  return `${topic}/${partition}/${producerId}/${startOffset}`
}

/** @throws CliError that names what is most like the one that is missing */
export async function describeTransactions(
  admin: Admin,
  ids: readonly string[],
): Promise<readonly TransactionDescription[]> {
  try {
    return await admin.describeTransactions(ids)
  } catch (error) {
    if (!isRefused(error, 'TRANSACTIONAL_ID_NOT_FOUND')) throw error
    const { transactions } = await admin.surveyTransactions()
    const known = transactions.map(({ transactionalId }) => transactionalId)
    const missing = ids.find((id) => !known.includes(id)) ?? ids[0]!
    const meant = nearest(missing, known)
    throw new CliError(
      'transaction_unknown',
      `there is no transactional id ${missing}`,
      `${meant === undefined ? '' : `did you mean ${meant}? `}\`sluice transactions list --all\` shows what there is`,
    )
  }
}

/** For programs. Producer ids are far below 2^53. */
export function transactionJson(one: TransactionDescription) {
  const { transactionalId, state, producerId, epoch, startTimeMs, timeoutMs, coordinator, partitions } = one
  const since = startTimeMs === null ? null : isoTime(startTimeMs)
  const places = partitions.map(({ topic, partition }) => ({ topic, partition }))
  return {
    transactionalId,
    state,
    producerId: Number(producerId),
    epoch,
    since,
    timeoutMs,
    coordinator,
    partitions: places,
  }
}

/** `00:01:12`; nothing where none is open. */
export function ageOf({ startTimeMs }: TransactionDescription, nowMs: number): string | null {
  return startTimeMs === null ? null : clockText(Math.max(0, nowMs - startTimeMs))
}
