import type { Clock } from '@sluice/flow'
import type { Emitter } from '@sluice/flow/internal'
import { Backoff } from '../async/backoff.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { CommitEntry, CommitRoute, OutputSink } from '../consumer/commit/commit-route.ts'
import type { Output } from '../outgoing/output.ts'
import { RevokedError } from '../consumer/errors.ts'
import type { FailureRoute } from '../consumer/failure/failure-route.ts'
import type { Intake } from '../consumer/intake/intake.ts'
import type { Membership } from '../consumer/group/membership.ts'
import type { AssignedPartition } from '../consumer/partition.ts'
import { classify, errorCode } from '../driver/classify.ts'
import type { PartitionResult } from '../driver/driver.ts'
import { BrokerError } from '../errors.ts'
import { ProducerFencedError, TransactionError } from '../transactions/errors.ts'
import { mendLetters } from './mend-letters.ts'
import { OutputBuffer, type FinishedOutput } from './output-buffer.ts'
import type { OutputTopics } from '../transactions/output-topics.ts'
import type { ReadAgain } from './read-again.ts'
import { RefusedOutputs } from './refused-outputs.ts'
import type { TransactionWriter } from '../transactions/transaction-writer.ts'
import type { TransactionOffsets } from '../transactions/transaction.ts'

/** What is told of the transactions of a pipe. */
export type TransactionEvents = {
  /** A transaction was committed. */
  committed: { readonly offsets: number; readonly outputs: number; readonly durationMs: number }
  /** One was not; its outputs are written again with the next. */
  aborted: { readonly outputs: number; readonly error: Error }
  /** Another process has taken over the transactional id: the pipe stops. */
  fenced: { readonly error: ProducerFencedError }
}

export interface TransactionCommitsOptions {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly group: string
  readonly instanceId: string | null
  readonly writer: TransactionWriter
  readonly topics: OutputTopics
  /** Makes dead letters of records whose outputs are refused. */
  readonly route: FailureRoute
  readonly readAgain: ReadAgain
  /** What is tried again. */
  readonly onFailure: (error: unknown) => void
  readonly events: Emitter<TransactionEvents>
  readonly membership: Membership
  readonly intake: Intake
  /** With so many, or half of the gate's bytes, a commit is due, and no more is begun before it. */
  readonly maxOutputs: number
  /** A commit is due. */
  readonly onDue: () => void
  /** Handlers may begin again. */
  readonly onRoom: () => void
}

const METADATA_TOO_LARGE = 'OFFSET_METADATA_TOO_LARGE'
/** How long a stale member epoch waits for a heartbeat. */
const EPOCH_WAIT_MS = 1_000

/** Commits offsets and what came of their records together, in one transaction at a time. */
export class TransactionCommits implements CommitRoute, OutputSink {
  readonly #options: TransactionCommitsOptions
  readonly #buffer: OutputBuffer
  readonly #refused: RefusedOutputs

  constructor(options: TransactionCommitsOptions) {
    this.#options = options
    this.#buffer = new OutputBuffer(options.intake)
    const { writer, onDue: onDone } = options
    this.#refused = new RefusedOutputs({ ...options, buffer: this.#buffer, compression: writer.compression, onDone })
  }

  get outputs(): OutputSink {
    return this
  }

  get isFull(): boolean {
    const { maxOutputs, intake } = this.#options
    return this.#buffer.records >= maxOutputs || this.#buffer.bytes >= intake.capacityBytes / 2
  }

  finished(partition: AssignedPartition, start: number, outputs: readonly Output[]): void {
    // A handler that was running when its partition was lost: the record is somebody else's.
    if (partition.phase === 'released') return
    this.#buffer.add(partition, start, outputs)
    if (this.isFull) this.#options.onDue()
  }

  rewound(partition: AssignedPartition, from: number): void {
    this.#buffer.rewind(partition, from)
  }

  released(partition: AssignedPartition): void {
    const wasFull = this.isFull
    this.#refused.released(partition)
    this.#buffer.drop(partition)
    // No commit of it is to come that would tell of room.
    if (wasFull && !this.isFull) this.#options.onRoom()
  }

  /**
   * An abort loses nothing: what came of the records is still here, and goes into the next transaction before what came
   * since. So a handler is not called again for it.
   */
  async commit(wanted: readonly CommitEntry[]): Promise<readonly PartitionResult[]> {
    if (this.#refused.failure !== undefined) throw this.#refused.failure
    const entries = this.#committable(wanted)
    const taken = this.#buffer.take(entries.map(({ owner }) => owner))
    this.#options.onRoom()
    if (entries.length === 0) return []
    let suspects: readonly Output[] = []
    try {
      await this.#write(entries, taken, (outputs) => (suspects = outputs))
    } catch (error) {
      const isMended = await this.#mend(taken, error, suspects).finally(() => this.#buffer.putBack(taken))
      return this.#failed(error as Error, taken, isMended)
    }
    this.#buffer.settle(taken)
    for (const { outputs } of taken) for (const { onCommitted } of outputs) onCommitted?.()
    return entries.map(({ topic, partition }) => ({ topic, partition, errorCode: 0 }))
  }

  /**
   * One partition whose offset map the group refuses must not keep all others from their commit, nor the record that
   * keeps the map long from another attempt.
   */
  #committable(wanted: readonly CommitEntry[]): readonly CommitEntry[] {
    const fits = ({ owner, metadata }: CommitEntry): boolean =>
      owner.mapBudget.fits(metadata.length) && !this.#refused.isUnderWay(owner)
    this.#buffer.setAside(new Set(wanted.filter((entry) => !fits(entry)).map(({ owner }) => owner)))
    return wanted.filter(fits)
  }

  async #mend(taken: readonly FinishedOutput[], error: unknown, suspects: readonly Output[]): Promise<boolean> {
    return (await mendLetters(taken, error, suspects)) || (await this.#refused.mend(taken, error, suspects))
  }

  async #write(
    entries: readonly CommitEntry[],
    taken: readonly FinishedOutput[],
    onRefused: (outputs: readonly Output[]) => void,
  ): Promise<void> {
    const { clock, writer, events } = this.#options
    const startedAtMs = clock.monotonicMs()
    const outputs = taken.flatMap((item) => item.outputs)
    try {
      await writer.write({ outputs, offsets: this.#offsetsOf(entries), onRefused })
    } catch (error) {
      const isUnknown = error instanceof TransactionError && error.outcome === 'unknown'
      if (!isUnknown || !(await this.#isCommitted(entries))) throw error
    }
    const durationMs = clock.monotonicMs() - startedAtMs
    events.emit('committed', { offsets: entries.length, outputs: outputs.length, durationMs })
  }

  #offsetsOf(entries: readonly CommitEntry[]): TransactionOffsets {
    const { group, membership, instanceId } = this.#options
    return {
      group,
      offsets: entries,
      // The group fences members, not partitions: what is no longer ours must not be committed under a newer epoch.
      member: () => {
        const gone = entries.find(({ owner }) => owner.phase === 'released')
        if (gone !== undefined) throw new RevokedError(gone.topic, gone.partition)
        return { memberId: membership.memberId, memberEpoch: membership.epoch, instanceId }
      },
      refreshed: () => membership.refreshed(EPOCH_WAIT_MS),
    }
  }

  /**
   * Whether a transaction was committed whose end was never answered: the next identity puts an end to it, and then the
   * offsets of the group tell. Goes on until they could be read, or all of it is somebody else's.
   */
  async #isCommitted(entries: readonly CommitEntry[]): Promise<boolean> {
    const { clock } = this.#options
    const backoff = new Backoff(50, 2_000)
    for (;;) {
      const own = entries.filter(({ owner }) => owner.phase !== 'released')
      if (own.length === 0) return false
      try {
        await this.#options.writer.init()
        const found = await this.#committed(own)
        if (found !== undefined) return found
      } catch (error) {
        if ((error as { retriable?: boolean }).retriable !== true && !isOfMember(error)) throw error
        if (isOfMember(error)) await this.#options.membership.refreshed(EPOCH_WAIT_MS)
        else this.#options.cluster.forgetCoordinator('group', this.#options.group)
      }
      await clock.sleep(backoff.nextMs())
    }
  }

  /** Undefined: to be asked again. Offset and map tell one commit from any other of the partition. */
  async #committed(entries: readonly CommitEntry[]): Promise<boolean | undefined> {
    const { cluster, group, membership } = this.#options
    const coordinator = await cluster.coordinator('group', group)
    const answer = await cluster.driver.fetchOffsets(coordinator, {
      group,
      memberId: membership.memberId,
      memberEpoch: membership.epoch,
      requireStable: true,
      topics: Array.from(
        Map.groupBy(entries, ({ topic }) => topic),
        ([topic, own]) => ({ topic, partitions: own.map(({ partition }) => partition) }),
      ),
    })
    const found = entries.map((entry) =>
      answer.find(({ topic, partition }) => topic === entry.topic && partition === entry.partition),
    )
    if (found.some((one) => one === undefined || one.errorCode !== 0)) return undefined
    return found.every((one, index) => {
      const { offset, metadata } = entries[index]!
      return one!.offset === offset && one!.metadata === metadata
    })
  }

  /** What the group has refused of a single partition is the committer's to act on; all else is thrown on. */
  #failed(error: Error, taken: readonly FinishedOutput[], isMended: boolean): readonly PartitionResult[] {
    const { events, membership } = this.#options
    if (error instanceof ProducerFencedError) events.emit('fenced', { error })
    else events.emit('aborted', { outputs: taken.reduce((sum, { outputs }) => sum + outputs.length, 0), error })
    // The next transaction writes what was put in the place of the refused.
    if (isMended) return []
    const { cause } = error
    // The others are committed without it.
    if (cause instanceof RevokedError) return []
    if (!(cause instanceof BrokerError)) throw error
    if (classify(cause.apiCode).rejoin) membership.suspect()
    const { topic, partition } = cause as BrokerError & { readonly topic?: string; readonly partition?: number }
    if (cause.apiError !== METADATA_TOO_LARGE || topic === undefined || partition === undefined) throw error
    return [{ topic, partition, errorCode: errorCode(METADATA_TOO_LARGE) }]
  }
}

/** The group knows another epoch of this member, or does not know it any more. */
function isOfMember(error: unknown): boolean {
  return error instanceof BrokerError && (error.apiError === 'STALE_MEMBER_EPOCH' || classify(error.apiCode).rejoin)
}
