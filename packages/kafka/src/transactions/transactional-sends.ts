import type { Clock } from '@sluice/flow'
import { Backoff } from '../async/backoff.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Output } from '../outgoing/output.ts'
import { brokerError, classify, errorCode } from '../driver/classify.ts'
import type { BrokerNode, ProduceResult, TransactionalIdentity, TransactionVersion } from '../driver/driver.ts'
import { type BrokerError, ClusterTimeoutError } from '../errors.ts'
import type { PartitionBatches } from './partition-batches.ts'
import { requirePartitions } from './require-partitions.ts'

export interface TransactionalSendsOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly version: TransactionVersion
  readonly transactional: TransactionalIdentity
  /** Monotonic: no attempt begins after that. */
  readonly deadlineMs: number
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Sends one request to a broker. */
  readonly ask: <Answer>(broker: BrokerNode, request: () => Promise<Answer>) => Promise<Answer>
  /** An attempt was in vain, and another may follow. */
  readonly onFailure: (error: Error) => void
  /** A topic refused these for good: the whole batch, or the one record that the broker named. */
  readonly onRefused?: ((outputs: readonly Output[]) => void) | undefined
}

const DUPLICATE = errorCode('DUPLICATE_SEQUENCE_NUMBER')
const NO_LEADER = errorCode('LEADER_NOT_AVAILABLE')
const maxRequestBytes = 1_048_576

/**
 * Writes the batches of a transaction: one in flight a partition, a loop for each broker. That one broker is waited for
 * by all is in the nature of the thing: a transaction is written when all of it is.
 */
export class TransactionalSends {
  readonly #options: TransactionalSendsOptions

  constructor(options: TransactionalSendsOptions) {
    this.#options = options
  }

  /** @throws the first error that no further attempt can mend; a ClusterTimeoutError when the time is up */
  async send(partitions: readonly PartitionBatches[]): Promise<void> {
    const { cluster, clock, signal } = this.#options
    const backoff = new Backoff(20, 500)
    let left = partitions.filter(({ batches }) => batches.length > 0)
    while (left.length > 0) {
      const routes = new Map<number, { leader: BrokerNode; partitions: PartitionBatches[] }>()
      let leaderless: Error | undefined
      for (const one of left) {
        const leader = cluster.leader(one.topic, one.partition)
        if (leader === undefined) {
          leaderless = brokerError(NO_LEADER, null, { topic: one.topic, partition: one.partition })
          this.#options.onFailure(leaderless)
          continue
        }
        const route = routes.get(leader.id)
        if (route === undefined) routes.set(leader.id, { leader, partitions: [one] })
        else route.partitions.push(one)
      }
      const loops = Array.from(routes.values(), (route) => this.#sendTo(route.leader, route.partitions))
      const last = (await Promise.all(loops)).find((error) => error !== undefined) ?? leaderless
      left = left.filter(({ batches }) => batches.length > 0)
      if (left.length === 0) return
      this.#throwIfLate(last)
      await clock.sleep(backoff.nextMs(), signal)
      const topics = [...new Set(left.map(({ topic }) => topic))]
      if (await isRefreshed(cluster, topics, signal)) requirePartitions(cluster, left, this.#options.onRefused)
    }
  }

  /** Until all of it is written, or a partition has to be looked for elsewhere: then the last error. */
  async #sendTo(leader: BrokerNode, partitions: readonly PartitionBatches[]): Promise<Error | undefined> {
    const { cluster, clock, version, transactional, signal } = this.#options
    const backoff = new Backoff(10, 500)
    let left = partitions
    while (left.length > 0) {
      const request = fitting(left)
      let results: readonly ProduceResult[]
      try {
        const produce = {
          acks: -1,
          timeoutMs: Math.max(1, Math.ceil(this.#leftMs())),
          transactionalId: transactional.transactionalId,
          version,
          batches: request.map(({ topic, partition, batches }) => ({ topic, partition, batch: batches.peek()! })),
        } as const
        const answer = await this.#options.ask(leader, () => cluster.driver.produce(leader, produce))
        results = answer.results
      } catch (error) {
        if ((error as { retriable?: boolean }).retriable !== true) throw error
        this.#options.onFailure(error as Error)
        return error as Error
      }
      const failed = this.#settle(request, results)
      left = left.filter(({ batches }) => batches.length > 0)
      if (failed === undefined) continue
      this.#options.onFailure(failed)
      if (classify(failed.apiCode).refreshMetadata) return failed
      this.#throwIfLate(failed)
      await clock.sleep(backoff.nextMs(), signal)
    }
    return undefined
  }

  /** What is written leaves its partition; returns an error that another attempt may mend. */
  #settle(sent: readonly PartitionBatches[], results: readonly ProduceResult[]): BrokerError | undefined {
    let failure: BrokerError | undefined
    for (const one of sent) {
      const { topic, partition, batches } = one
      const result = results.find((one) => one.topic === topic && one.partition === partition)
      const code = result?.errorCode ?? errorCode('UNKNOWN_SERVER_ERROR')
      // A duplicate is in the log, and of this very transaction: another epoch would have been refused.
      if (code === 0 || code === DUPLICATE) {
        batches.shift()
        one.firstRecords.shift()
        one.contents.shift()
        continue
      }
      const error = refusalOf(one, code, result)
      if (!classify(code).retriable) {
        this.#options.onRefused?.(refusedOf(one, result))
        throw error
      }
      if (result?.leaderHint) this.#options.cluster.noteLeader(topic, partition, result.leaderHint)
      failure = error
    }
    return failure
  }

  #leftMs(): number {
    return this.#options.deadlineMs - this.#options.clock.monotonicMs()
  }

  #throwIfLate(cause: Error | undefined): void {
    const { signal } = this.#options
    if (signal.aborted || this.#leftMs() <= 0) {
      throw new ClusterTimeoutError('the records of a transaction could not be written', this.#options.timeoutMs, cause)
    }
  }
}

/** False: no broker could be asked now. */
export async function isRefreshed(cluster: Cluster, topics: readonly string[], signal: AbortSignal): Promise<boolean> {
  try {
    await cluster.refresh(topics, signal)
    return true
  } catch (error) {
    if ((error as { retriable?: boolean }).retriable !== true) throw error
    return false
  }
}

/** A batch of each partition, as far as a request goes. */
function fitting(partitions: readonly PartitionBatches[]): readonly PartitionBatches[] {
  let bytes = 0
  let count = 0
  for (const { batches } of partitions) {
    bytes += batches.peek()!.length
    if (count > 0 && bytes > maxRequestBytes) break
    count++
  }
  return partitions.slice(0, count)
}

/** Those that may be to blame: the record that is named, else all of the batch. */
function refusedOf({ contents }: PartitionBatches, result: ProduceResult | undefined): readonly Output[] {
  const batch = contents.peek() ?? []
  const named = result?.recordErrors.map(({ index }) => batch[index]).filter((one) => one !== undefined) ?? []
  return named.length > 0 ? named.slice(0, 1) : batch
}

/** Names the first invalid record by its place among those that the transaction writes to the partition. */
function refusalOf(
  { topic, partition, firstRecords }: PartitionBatches,
  code: number,
  result: ProduceResult | undefined,
): BrokerError {
  const invalid = result?.recordErrors[0]
  if (!invalid) return brokerError(code, result?.errorMessage ?? null, { topic, partition })
  const record = (firstRecords.peek() ?? 0) + invalid.index
  return brokerError(code, invalid.message ?? result.errorMessage, { topic, partition, record })
}
