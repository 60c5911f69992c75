import type { Clock } from '@sluice/flow'
import type { Compression } from '../batch/batch.ts'
import { batchOverheadBytes } from '../batch/encode.ts'
import type { Output } from '../outgoing/output.ts'
import type { ConsumerRecord } from '../incoming/consumer-record.ts'
import type { FailureRoute } from '../consumer/failure/failure-route.ts'
import type { AssignedPartition } from '../consumer/partition.ts'
import { refusalOf, refusingError } from '../failure/refusal.ts'
import { untilDone } from '../failure/until-done.ts'
import { OutputRefusedError } from '../errors.ts'
import type { FinishedOutput, OutputBuffer } from './output-buffer.ts'
import type { OutputTopics } from '../transactions/output-topics.ts'
import { goneRecord, type ReadAgain } from './read-again.ts'

export interface RefusedOutputsOptions {
  readonly clock: Clock
  readonly topics: OutputTopics
  readonly buffer: OutputBuffer
  readonly compression: Compression
  /** Makes dead letters. */
  readonly route: FailureRoute
  readonly readAgain: ReadAgain
  /** An attempt to read a record again failed, and another one follows. */
  readonly onFailure: (error: unknown) => void
  /** Partitions can be committed again, or `failure` is set. */
  readonly onDone: () => void
}

interface OutputRefusal {
  readonly topic: string
  readonly cause: Error
}

/** Other refusals are not about one record: every record of the topic would meet them. */
const refusalsOfRecords = new Set(['too_large', 'timestamp', 'record', 'partition'])

/**
 * What a handler returned was judged by the settings of its topic as they were known. Where the topic refuses it all the
 * same, its record fails: it is read again, since its bytes are gone, and its dead letter is committed in the place of
 * its outputs. Meanwhile its partition commits nothing, and all others go on.
 */
export class RefusedOutputs {
  readonly #options: RefusedOutputsOptions
  readonly #underWay = new Map<AssignedPartition, AbortController>()
  #failure: Error | undefined

  constructor(options: RefusedOutputsOptions) {
    this.#options = options
  }

  /** What keeps a record from becoming a dead letter for good. */
  get failure(): Error | undefined {
    return this.#failure
  }

  isUnderWay(partition: AssignedPartition): boolean {
    return this.#underWay.has(partition)
  }

  released(partition: AssignedPartition): void {
    this.#underWay.get(partition)?.abort()
    this.#underWay.delete(partition)
  }

  /**
   * After an aborted transaction. `suspects`: one of them was refused, or all.
   * @returns whether the next transaction differs: without the record that is to blame, or in smaller batches, which
   * tell it from the others
   */
  async mend(taken: readonly FinishedOutput[], error: unknown, suspects: readonly Output[]): Promise<boolean> {
    const cause = refusingError(error)
    const refusal = cause && refusalOf(cause)
    if (refusal === undefined || !refusalsOfRecords.has(refusal)) return false
    if (!suspects.some(({ source }) => source !== undefined)) return false
    const { topics } = this.#options
    const { topic } = suspects[0]!
    // Its settings may have changed, and then tell which records it refuses. Without an answer the old ones stay.
    await topics.look(topic).catch(() => {})
    const known = taken.filter(({ outputs }) => outputs.some((one) => one.topic === topic && this.#mustFail(one)))
    const guilty = known.length > 0 ? known : ownersOf(suspects, taken)
    if (guilty.length === 0) return this.#divide(topic, suspects)
    if (known.length > 0 || refusal !== 'too_large') topics.widen(topic)
    const byPartition = Map.groupBy(guilty, ({ partition }) => partition)
    for (const [partition, items] of byPartition) this.#begin(partition, items, { topic, cause: cause! })
    return true
  }

  #mustFail({ topic, record, source, compression = this.#options.compression }: Output): boolean {
    if (source === undefined) return false
    try {
      this.#options.topics.require(topic, record, { nowMs: Math.floor(this.#options.clock.now()), compression })
      return false
    } catch {
      return true
    }
  }

  /** The same batch would be refused again. @returns false for a batch that cannot be smaller */
  #divide(topic: string, suspects: readonly Output[]): boolean {
    if (suspects.length === 1) return false
    const { topics } = this.#options
    const bytes = suspects.reduce<number>((sum, { record }) => sum + record.bytes, batchOverheadBytes)
    if (bytes <= topics.batchBytes(topic)) topics.narrow(topic, Math.floor(bytes / 2))
    return true
  }

  #begin(partition: AssignedPartition, items: readonly FinishedOutput[], refusal: OutputRefusal): void {
    const stop = new AbortController()
    this.#underWay.set(partition, stop)
    void this.#replace(items, refusal, stop.signal)
      .catch((cause: unknown) => {
        if (!stop.signal.aborted) this.#failure ??= cause as Error
      })
      .finally(() => {
        if (this.#underWay.get(partition) === stop) this.#underWay.delete(partition)
        this.#options.onDone()
      })
  }

  async #replace(items: readonly FinishedOutput[], refusal: OutputRefusal, signal: AbortSignal): Promise<void> {
    for (const item of items) {
      const source = item.outputs.find((one) => one.source !== undefined)!.source!
      const read = await untilDone(() => this.#options.readAgain(item.partition, item.start, source), {
        clock: this.#options.clock,
        signal,
        onFailure: this.#options.onFailure,
        isFinal: (cause) => (cause as { retriable?: boolean }).retriable !== true,
      })
      const record: ConsumerRecord = read ?? goneRecord(item.partition, source)
      const error = new OutputRefusedError(refusal.topic, refusal.cause, read === undefined)
      const { attempt, compression } = source
      const failure = { partition: item.partition, records: [record], attempt, postponed: 0, error, compression }
      const letters = await this.#options.route.divert(failure, signal)
      this.#options.buffer.replace(item, letters ?? [])
    }
  }
}

/** The record is known where the batch held one alone, or the broker named it. */
function ownersOf(suspects: readonly Output[], taken: readonly FinishedOutput[]): readonly FinishedOutput[] {
  const [only] = suspects
  if (suspects.length > 1 || only?.source === undefined) return []
  return taken.filter(({ outputs }) => outputs.includes(only))
}
