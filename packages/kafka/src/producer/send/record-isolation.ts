import { brokerError } from '../../driver/classify.ts'
import type { ProduceResult } from '../../driver/driver.ts'
import { type DeliveryBlame, DeliveryError } from '../../errors.ts'
import type { PartitionQueue } from '../queue/partition-queue.ts'
import type { PendingRecord } from '../../outgoing/pending-record.ts'
import type { RecordBatch } from '../queue/record-batch.ts'
import type { Settlement } from '../queue/settlement.ts'
import { blamesRecords } from './verdict.ts'

/** Refused requests that the search in one batch may cost. What is refused after that is given up as it is. */
const maxRefusals = 256

/**
 * Separates the invalid records of a refused batch from the others, which are sent again in their order. A broker names
 * them by their places (KIP-467); where it names none, the batch is halved until they are found.
 */
export class RecordIsolation {
  readonly #settlement: Settlement
  readonly #giveUpHead: (queue: PartitionQueue, blame: DeliveryBlame) => void

  constructor(settlement: Settlement, giveUpHead: (queue: PartitionQueue, blame: DeliveryBlame) => void) {
    this.#settlement = settlement
    this.#giveUpHead = giveUpHead
  }

  /** `batch` is the head of the queue, has several records, and is certainly not in the log. */
  isolate(queue: PartitionQueue, batch: RecordBatch, result: ProduceResult): void {
    const rejected = namedRecords(batch, result)
    if (rejected.size > 0) this.#reject(queue, batch, rejected, result)
    else this.#halve(queue, batch)
  }

  #reject(
    queue: PartitionQueue,
    batch: RecordBatch,
    rejected: ReadonlyMap<PendingRecord, string | null>,
    result: ProduceResult,
  ): void {
    const { attempts } = batch
    const left = batch.without(new Set(rejected.keys()))
    this.#replaceHead(queue, batch, left ? [left] : [])
    // Only now: a record that is admitted into a free place must not overtake those that are sent again.
    for (const [message, records] of byMessage(rejected)) {
      this.#settlement.fail(records, 'refused', refusal(queue, message, result), attempts)
    }
  }

  #halve(queue: PartitionQueue, batch: RecordBatch): void {
    const search = (batch.search ??= { refusalsLeft: maxRefusals })
    if (search.refusalsLeft-- <= 0) return this.#giveUpHead(queue, 'batch')
    this.#replaceHead(queue, batch, batch.split())
  }

  #replaceHead(queue: PartitionQueue, batch: RecordBatch, parts: readonly RecordBatch[]): void {
    if (batch.identity) queue.sequence!.giveBack(batch.identity)
    for (const part of parts) {
      // This attempt failed by the fault of some record: the others keep all of theirs.
      part.attempts = batch.attempts - 1
      part.lastError = undefined
    }
    queue.replaceHead(parts)
  }
}

/** Whose fault it is that the broker refused a batch that is given up. */
export function blameFor(
  { records }: RecordBatch,
  { errorCode, recordErrors }: ProduceResult,
): DeliveryBlame | undefined {
  if (recordErrors.length === 0 && !blamesRecords(errorCode)) return undefined
  return records.length === 1 ? 'record' : 'batch'
}

function namedRecords({ records }: RecordBatch, { recordErrors }: ProduceResult): Map<PendingRecord, string | null> {
  const named = new Map<PendingRecord, string | null>()
  for (const { index, message } of recordErrors) {
    const record = records[index]
    if (record) named.set(record, message)
  }
  return named
}

function byMessage(rejected: ReadonlyMap<PendingRecord, string | null>): Map<string | null, PendingRecord[]> {
  const groups = new Map<string | null, PendingRecord[]>()
  for (const [record, message] of rejected) {
    const group = groups.get(message)
    if (group) group.push(record)
    else groups.set(message, [record])
  }
  return groups
}

function refusal({ topic, partition }: PartitionQueue, message: string | null, result: ProduceResult): DeliveryError {
  const cause = brokerError(result.errorCode, message ?? result.errorMessage, { topic, partition })
  return new DeliveryError(
    topic,
    partition,
    'refused',
    `${topic}/${partition}: the broker refused the record`,
    cause,
    'record',
  )
}
