import { Ring } from '@sluice/flow/internal'
import type { Breaker, BreakerPermit, Timer } from '@sluice/flow'
import type { Backoff } from '../../async/backoff.ts'
import type { BrokerNode, ProduceRequest, ProduceResponse, ProduceResult } from '../../driver/driver.ts'
import { ProtocolError, RequestTimeoutError } from '../../errors.ts'
import { newBackoff } from '../options.ts'
import type { ProducerConfig } from '../options.ts'
import type { PartitionQueue } from '../queue/partition-queue.ts'
import type { ProducerCluster } from '../producer-cluster.ts'
import type { RecordBatch } from '../queue/record-batch.ts'

/** A sealed batch in a request, and where it came from. */
export interface SentBatch {
  readonly queue: PartitionQueue
  readonly batch: RecordBatch
}

export interface BrokerSenderHooks {
  /** Of all brokers: the requests of the producer. */
  readonly breaker: Breaker
  /** A trial of the breaker is free again. */
  readonly onTrialFree: () => void
  /** Whether the broker leads this partition, as far as is known. */
  readonly isLedBy: (queue: PartitionQueue, brokerId: number) => boolean
  /** The sealed batch that is to be sent now; undefined: none. */
  readonly seal: (queue: PartitionQueue) => RecordBatch | undefined
  /** The partition stands in no line any more: put it where it belongs. */
  readonly schedule: (queue: PartitionQueue) => void
  readonly onResult: (sent: SentBatch, result: ProduceResult) => void
  readonly onFailure: (sent: SentBatch, error: Error) => void
  /** A whole request failed; `onFailure` follows for each of its batches. */
  readonly onTrouble: (error: Error) => void
}

/**
 * Where nothing is in flight, a request that is this large already is sent without waiting to be filled: the broker then
 * writes it while the next one is encoded, instead of the two taking turns.
 */
const firstRequestBytes = 131_072

/** The loop of one broker: takes what is due for it into requests, a few in flight at a time. */
export class BrokerSender {
  readonly #config: ProducerConfig
  readonly #driver: ProducerCluster['driver']
  readonly #hooks: BrokerSenderHooks
  readonly #backoff: Backoff
  #node: BrokerNode
  /** Partitions with a batch that is due, first come first served. */
  readonly #due = new Ring<PartitionQueue>()
  #inFlight = 0
  /** Failed requests since the last answer. */
  #failures = 0
  #lastError: Error | undefined
  /** The broker asked for a pause (a quota), or could not be reached. */
  #notBeforeMs = 0
  #pauseTimer: Timer | undefined
  #isWoken = false

  constructor(node: BrokerNode, config: ProducerConfig, driver: ProducerCluster['driver'], hooks: BrokerSenderHooks) {
    this.#node = node
    this.#config = config
    this.#backoff = newBackoff(config)
    this.#driver = driver
    this.#hooks = hooks
  }

  /** Lines a partition up. `node` is the broker's address as known now. */
  enqueue(queue: PartitionQueue, node: BrokerNode): void {
    this.#node = node
    this.#due.push(queue)
    this.wake()
  }

  /** Sends what is due in the next turn of the event loop, so that all that comes in this turn goes with it. */
  wake(): void {
    if (this.#isWoken) return
    this.#isWoken = true
    setImmediate(() => {
      this.#isWoken = false
      this.#sendDue()
    })
  }

  /** Sends those away that another broker leads by now. */
  reroute(): void {
    for (let left = this.#due.length; left > 0; left--) {
      const queue = this.#due.shift()!
      if (this.#hooks.isLedBy(queue, this.#node.id)) this.#due.push(queue)
      else this.#leave(queue)
    }
  }

  stop(): void {
    this.#due.clear()
    this.#pauseTimer?.cancel()
  }

  /** Why a partition that this broker leads waits, where no attempt at its head has failed. */
  delayOf({ head, inFlight }: PartitionQueue): Error | undefined {
    if (!head || !inFlight) return this.#lastError
    const waitedMs = Math.round(this.#config.clock.monotonicMs() - head.sentAtMs)
    return new RequestTimeoutError(this.#address, 'Produce', waitedMs, this.#lastError)
  }

  /** Why the last request failed; undefined: it did not. */
  get lastError(): Error | undefined {
    return this.#lastError
  }

  inspect(): BrokerSenderState {
    return {
      broker: this.#node.id,
      address: this.#address,
      inFlightRequests: this.#inFlight,
      duePartitions: this.#due.length,
      pausedForMs: Math.max(0, this.#notBeforeMs - this.#config.clock.monotonicMs()),
      failuresInARow: this.#failures,
      lastError: this.#lastError?.message ?? null,
    }
  }

  #sendDue(): void {
    while (this.#due.length > 0 && this.#inFlight < this.#config.maxInFlightRequests && !this.#isPaused()) {
      const permit = this.#hooks.breaker.tryEnter()
      // Woken when the breaker changes.
      if (!permit) return
      const batches = this.#fillRequest()
      if (batches.length > 0) this.#send(batches, permit)
      else permit.ignore()
    }
  }

  #isPaused(): boolean {
    const pauseMs = this.#notBeforeMs - this.#config.clock.monotonicMs()
    if (pauseMs <= 0) return false
    this.#pauseTimer?.cancel()
    this.#pauseTimer = this.#config.clock.setTimeout(() => this.#sendDue(), pauseMs)
    return true
  }

  #fillRequest(): SentBatch[] {
    const { maxRequestBytes } = this.#config
    const enoughBytes = this.#inFlight === 0 ? Math.min(firstRequestBytes, maxRequestBytes) : maxRequestBytes
    const batches: SentBatch[] = []
    let bytes = 0
    for (let queue = this.#due.peek(); queue; queue = this.#due.peek()) {
      if (bytes >= enoughBytes) break
      const batch = this.#hooks.isLedBy(queue, this.#node.id) ? this.#hooks.seal(queue) : undefined
      const size = batch?.encoded?.length ?? 0
      if (batches.length > 0 && bytes + size > maxRequestBytes) break
      this.#due.shift()
      if (!batch) {
        this.#leave(queue)
        continue
      }
      queue.scheduled = false
      queue.inFlight = true
      batches.push({ queue, batch })
      bytes += size
    }
    return batches
  }

  #leave(queue: PartitionQueue): void {
    queue.scheduled = false
    this.#hooks.schedule(queue)
  }

  #send(batches: readonly SentBatch[], permit: BreakerPermit): void {
    const { acks, requestTimeoutMs } = this.#config
    const request: ProduceRequest = {
      acks: acks === 'all' ? -1 : acks,
      timeoutMs: requestTimeoutMs,
      transactionalId: null,
      batches: batches.map(({ queue: { topic, partition }, batch }) => ({ topic, partition, batch: batch.encoded! })),
    }
    const sentAtMs = this.#config.clock.monotonicMs()
    for (const { batch } of batches) {
      batch.attempts++
      batch.sentAtMs = sentAtMs
    }
    this.#inFlight++
    void this.#driver.produce(this.#node, request).then(
      (response) => this.#onResponse(batches, response, permit),
      (error: unknown) => this.#onFailure(batches, error as Error, permit),
    )
  }

  #onResponse(batches: readonly SentBatch[], { throttleMs, results }: ProduceResponse, permit: BreakerPermit): void {
    this.#inFlight--
    permit.success()
    this.#failures = 0
    this.#backoff.reset()
    this.#lastError = undefined
    if (throttleMs > 0) this.#pause(throttleMs)
    for (let i = 0; i < batches.length; i++) {
      const sent = batches[i]!
      // Brokers answer in the order of the request, as a rule.
      const result = isFor(sent, results[i]) ? results[i] : results.find((candidate) => isFor(sent, candidate))
      if (result) this.#hooks.onResult(sent, result)
      else this.#onNoResult(sent)
    }
    this.wake()
  }

  #onNoResult(sent: SentBatch): void {
    const { topic, partition } = sent.queue
    if (this.#config.acks === 0) {
      const nothing = {
        errorCode: 0,
        errorMessage: null,
        recordErrors: [],
        baseOffset: -1,
        logAppendTimeMs: -1,
        leaderHint: undefined,
      }
      this.#hooks.onResult(sent, { topic, partition, ...nothing })
      return
    }
    const message = `the answer to Produce says nothing of ${topic}/${partition}`
    this.#hooks.onFailure(sent, new ProtocolError(this.#address, 'Produce', message))
  }

  get #address(): string {
    return `${this.#node.host}:${this.#node.port}`
  }

  #onFailure(batches: readonly SentBatch[], error: Error, permit: BreakerPermit): void {
    this.#inFlight--
    this.#lastError = error
    // The requests that break together with one connection are one failure.
    if (this.#config.clock.monotonicMs() >= this.#notBeforeMs) {
      this.#failures++
      this.#pause(this.#backoff.nextMs())
      permit.failure()
    } else {
      permit.ignore()
      this.#hooks.onTrialFree()
    }
    this.#hooks.onTrouble(error)
    for (const sent of batches) this.#hooks.onFailure(sent, error)
    this.wake()
  }

  #pause(pauseMs: number): void {
    this.#notBeforeMs = Math.max(this.#notBeforeMs, this.#config.clock.monotonicMs() + pauseMs)
  }
}

/** What a producer has on its way to one broker. */
export interface BrokerSenderState {
  readonly broker: number
  readonly address: string
  /** Requests that are not answered yet. */
  readonly inFlightRequests: number
  /** Partitions with a batch that is due. */
  readonly duePartitions: number
  /** The rest of a pause that the broker's quota or a failure has brought. */
  readonly pausedForMs: number
  /** Requests that failed since the last success. */
  readonly failuresInARow: number
  /** The message of the last failure; null: there was none. */
  readonly lastError: string | null
}

function isFor({ queue }: SentBatch, result: ProduceResult | undefined): boolean {
  return result !== undefined && result.partition === queue.partition && result.topic === queue.topic
}
