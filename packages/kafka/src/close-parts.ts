import type { CloseReport as ConsumerCloseReport } from './consumer/session.ts'
import type { OffsetPlace } from './record/places.ts'
import type { CloseReport as ProducerCloseReport } from './producer/producer-state.ts'
import { closeGraceMs, type TimeLimit } from './time-limit.ts'

/** What closing a `Kafka` had to cut short; all zero and empty where nothing was. */
export interface KafkaCloseReport {
  /** Handlers of consumers and pipes that did not end in time and were not waited for. */
  readonly abandonedHandlers: number
  /** Positions that the groups may not know of: what is behind them is handled again. */
  readonly uncommitted: readonly (OffsetPlace & { readonly group: string })[]
  /** Transactions that were given up; the `run` of each says what is known of it. */
  readonly abandonedTransactions: number
  /** Records in the queues of producers that were given up; the promise of each says whether it may be in the log. */
  readonly abandonedRecords: number
}

interface Closes<Report> {
  close(options: { readonly timeoutMs: number }): Promise<Report>
}

interface Member extends Closes<ConsumerCloseReport> {
  readonly group: string
}

/** All that a `Kafka` has opened. */
export interface OpenedParts {
  readonly readers: Iterable<{ close(): Promise<void> }>
  readonly members: Iterable<Member>
  readonly transactional: Iterable<Closes<{ readonly abandonedTransactions: number }>>
  readonly producers: Iterable<Closes<ProducerCloseReport>>
}

/**
 * Closes them in the order in which they use each other, with one limit for all: handlers may still use producers.
 * @throws the first thing that went wrong, after all are closed
 */
export async function closeParts(parts: OpenedParts, limit: TimeLimit): Promise<KafkaCloseReport> {
  const failures: unknown[] = []
  const all = async <T>(closing: readonly Promise<T>[]): Promise<readonly T[]> => {
    const settled = await Promise.allSettled(closing)
    failures.push(...settled.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : [])))
    return settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  }
  const timeoutMs = limit.leftMs()
  await all(Array.from(parts.readers, (reader) => reader.close()))
  const members = await all(
    Array.from(parts.members, async (member) => ({ group: member.group, ...(await member.close({ timeoutMs })) })),
  )
  const rest = (): { readonly timeoutMs: number } => ({ timeoutMs: limit.leftMs(closeGraceMs.producers) })
  const transactional = await all(Array.from(parts.transactional, (producer) => producer.close(rest())))
  const producers = await all(Array.from(parts.producers, (producer) => producer.close(rest())))
  if (failures.length > 0) throw failures[0]
  return {
    abandonedHandlers: sum(members, ({ abandonedHandlers }) => abandonedHandlers),
    uncommitted: members.flatMap(({ group, uncommitted }) => uncommitted.map((place) => ({ group, ...place }))),
    abandonedTransactions: sum(transactional, ({ abandonedTransactions }) => abandonedTransactions),
    abandonedRecords: sum(producers, ({ abandoned }) => abandoned),
  }
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0)
}
