import type { ManualClock } from '@sluice/flow'
import type { Compression } from '../../batch/batch.ts'
import { encodeBatch } from '../../batch/encode.ts'
import { layout } from '../../batch/layout.ts'
import { brokerError, errorCode } from '../../driver/classify.ts'
import { ConnectionError } from '../../errors.ts'
import type {
  BrokerNode,
  CommitRequest,
  Driver,
  FetchedPartition,
  FetchRequest,
  FetchResponse,
  HeartbeatRequest,
  HeartbeatResponse,
  TopicMetadata,
} from '../../driver/driver.ts'

interface Batch {
  readonly base: number
  readonly end: number
  readonly timestampMs: number
  readonly bytes: Buffer
}

interface Log {
  start: number
  end: number
  batches: Batch[]
}

const broker: BrokerNode = { id: 1, host: 'simulated', port: 9092 }
const otherwise = (): undefined => undefined

/**
 * One broker with logs in memory and the group side of KIP-848 for one member, as far as a client sees them. What the
 * group wants is said by `assign`; the fates return the name of an error to answer with. The clock is the test's.
 */
export class SimulatedBroker {
  readonly topics = new Map<string, { id: string; partitions: number }>()
  readonly committed = new Map<string, number>()
  /** Beside the committed offset. */
  readonly metadata = new Map<string, string>()
  /** Where the log of the first leader epoch ends; undefined: at the log's end. */
  epochEnd: number | undefined
  readonly heartbeats: HeartbeatRequest[] = []
  readonly commits: CommitRequest[] = []
  readonly fetches: FetchRequest[] = []
  heartbeatFate: (request: HeartbeatRequest) => string | undefined = otherwise
  commitFate: (request: CommitRequest) => string | undefined = otherwise
  fetchFate: (topic: string, partition: number) => string | undefined = otherwise
  /** Where an open transaction holds the last stable offset; undefined: nowhere. */
  stableOffset: (topic: string, partition: number) => number | undefined = otherwise
  /** Where the log of this partition parts from what was read of it. */
  divergence: (topic: string, partition: number) => number | undefined = otherwise
  /** What members are told. */
  heartbeatIntervalMs = 5_000
  /** Between a request and its answer. */
  heartbeatDelayMs = 0
  commitDelayMs = 0
  epoch = 0
  readonly driver: Driver
  readonly clock: ManualClock
  /** Changes the records of the next answer on their way. */
  spoil: ((records: Buffer) => unknown) | undefined
  readonly #logs = new Map<string, Log>()
  #target: { topic: string; partitions: readonly number[] }[] = []
  #told = true
  #writes = Promise.withResolvers<void>()

  constructor(clock: ManualClock) {
    this.clock = clock
    this.driver = this.#asDriver()
  }

  createTopic(name: string, partitions: number, id = `id-of-${name}`): void {
    this.topics.set(name, { id, partitions })
    for (let partition = 0; partition < partitions; partition++) {
      this.#logs.set(`${name}/${partition}`, { start: 0, end: 0, batches: [] })
    }
  }

  addPartitions(name: string, total: number): void {
    const topic = this.topics.get(name)!
    for (let partition = topic.partitions; partition < total; partition++) {
      this.#logs.set(`${name}/${partition}`, { start: 0, end: 0, batches: [] })
    }
    topic.partitions = total
  }

  /** A value with a colon in it is a key and a value. */
  addPartition(name: string): void {
    const topic = this.topics.get(name)!
    this.#logs.set(`${name}/${topic.partitions}`, { start: 0, end: 0, batches: [] })
    this.topics.set(name, { ...topic, partitions: topic.partitions + 1 })
  }

  write(topic: string, partition: number, values: readonly string[], compression: Compression = 'none'): void {
    const records = values.map((value) => ({
      key: value.includes(':') ? Buffer.from(value.slice(0, value.indexOf(':'))) : null,
      value: Buffer.from(value),
      headers: undefined,
      timestampMs: this.clock.now(),
    }))
    const bytes = encodeBatch(records, compression, null)
    bytes.writeInt32BE(0, layout.leaderEpoch)
    this.writeBytes(topic, partition, values.length, bytes)
  }

  /** A batch as it is, of so many offsets; messages of an old format have theirs already. */
  writeBytes(topic: string, partition: number, offsets: number, bytes: Buffer): void {
    const log = this.#log(topic, partition)
    if (bytes[layout.magic]! >= 2) bytes.writeBigInt64BE(BigInt(log.end), layout.baseOffset)
    log.batches.push({ base: log.end, end: log.end + offsets, timestampMs: this.clock.now(), bytes })
    log.end += offsets
    this.#writes.resolve()
    this.#writes = Promise.withResolvers()
  }

  /** As retention does: whole batches below this offset are gone. */
  truncateStart(topic: string, partition: number, start: number): void {
    const log = this.#log(topic, partition)
    log.batches = log.batches.filter(({ base }) => base >= start)
    log.start = start
  }

  /** What the group wants the member to own from the next heartbeat on. */
  assign(topic: string, partitions: readonly number[]): void {
    this.#target = [...this.#target.filter((other) => other.topic !== topic), { topic, partitions }]
    this.#told = false
    this.epoch++
  }

  committedOf(topic: string, partition: number): number | undefined {
    return this.committed.get(`${topic}/${partition}`)
  }

  #log(topic: string, partition: number): Log {
    const log = this.#logs.get(`${topic}/${partition}`)
    if (log === undefined) throw new Error(`no log of ${topic}/${partition}`)
    return log
  }

  #nameOf(topicId: string): string | undefined {
    for (const [name, { id }] of this.topics) if (id === topicId) return name
    return undefined
  }

  #asDriver(): Driver {
    const unused = (): never => {
      throw new Error('the simulated broker does not know this request')
    }
    return {
      metadata: async (names) => ({
        clusterId: 'simulated',
        controllerId: 1,
        brokers: [broker],
        topics: (names ?? [...this.topics.keys()]).map((name) => this.#describe(name)),
      }),
      findCoordinator: async () => broker,
      produce: unused,
      initProducerId: unused,
      transactionVersion: unused,
      addPartitionsToTransaction: unused,
      addOffsetsToTransaction: unused,
      commitTransactionOffsets: unused,
      endTransaction: unused,
      fetch: (_, request) => this.#fetch(request),
      listOffsets: async (_, __, queries) =>
        queries.map(({ topic, partition, timestampMs }) => {
          const { start, end, batches } = this.#log(topic, partition)
          const since = batches.find((batch) => batch.timestampMs >= timestampMs)?.base ?? -1
          const offset = timestampMs === -2 ? start : timestampMs === -1 ? end : since
          return { topic, partition, errorCode: 0, offset, timestampMs: -1, leaderEpoch: 0 }
        }),
      offsetsForLeaderEpoch: async (_, queries) =>
        queries.map(({ topic, partition, leaderEpoch }) => {
          const endOffset = this.epochEnd ?? this.#log(topic, partition).end
          return { topic, partition, errorCode: 0, leaderEpoch, endOffset }
        }),
      heartbeat: (_, request) => this.#heartbeat(request),
      commitOffsets: (_, request) => this.#commit(request),
      fetchOffsets: async (_, { topics }) =>
        (topics ?? []).flatMap(({ topic, partitions }) =>
          partitions.map((partition) => ({
            topic,
            partition,
            errorCode: 0,
            offset: this.committedOf(topic, partition) ?? -1,
            leaderEpoch: -1,
            metadata: this.metadata.get(`${topic}/${partition}`) ?? '',
          })),
        ),
      // Nobody answers: a dead letter finds no topic here.
      admin: {
        describeTopicConfigs: () => Promise.reject(new ConnectionError('simulated', 'no answer')),
      } as unknown as Driver['admin'],
      close: async () => {},
    }
  }

  #describe(name: string): TopicMetadata {
    const topic = this.topics.get(name)
    const partitions = Array.from({ length: topic?.partitions ?? 0 }, (_, partition) => ({
      partition,
      errorCode: 0,
      leader: 1,
      leaderEpoch: 0,
      replicas: [1],
      inSync: [1],
    }))
    return { name, id: topic?.id ?? '', errorCode: topic === undefined ? 3 : 0, internal: false, partitions }
  }

  async #heartbeat(request: HeartbeatRequest): Promise<HeartbeatResponse> {
    this.heartbeats.push(request)
    const fate = this.heartbeatFate(request)
    if (this.heartbeatDelayMs > 0) await this.clock.sleep(this.heartbeatDelayMs)
    if (fate !== undefined) throw brokerError(errorCode(fate), null)
    if (request.memberEpoch === 0) {
      this.epoch = Math.max(this.epoch, 1)
      this.#told = false
    }
    const tells = !this.#told && request.memberEpoch >= 0
    if (tells) this.#told = true
    return {
      throttleMs: 0,
      memberId: request.memberId,
      memberEpoch: request.memberEpoch < 0 ? request.memberEpoch : this.epoch,
      heartbeatIntervalMs: this.heartbeatIntervalMs,
      assignment: tells
        ? this.#target.map(({ topic, partitions }) => ({ topicId: this.topics.get(topic)!.id, partitions }))
        : null,
    }
  }

  async #commit(request: CommitRequest) {
    this.commits.push(request)
    const fate = this.commitFate(request)
    if (this.commitDelayMs > 0) await this.clock.sleep(this.commitDelayMs)
    return request.offsets.map(({ topic, partition, offset, metadata }) => {
      if (fate === undefined) {
        this.committed.set(`${topic}/${partition}`, offset)
        this.metadata.set(`${topic}/${partition}`, metadata)
      }
      return { topic, partition, errorCode: fate === undefined ? 0 : errorCode(fate) }
    })
  }

  /** Holds the request, as a broker does, until there is something or `maxWaitMs` have passed. */
  async #fetch(request: FetchRequest): Promise<FetchResponse> {
    this.fetches.push(request)
    const answer = this.#read(request)
    if (answer.some((one) => one.records !== null || one.errorCode !== 0 || one.diverging !== undefined)) {
      return { throttleMs: 0, partitions: answer }
    }
    const waiting = new AbortController()
    await Promise.race([
      this.#writes.promise,
      this.clock.sleep(request.maxWaitMs, waiting.signal).catch(() => undefined),
    ])
    waiting.abort()
    return { throttleMs: 0, partitions: this.#read(request) }
  }

  #read({ partitions, maxBytes }: FetchRequest): FetchedPartition[] {
    let left = maxBytes
    return partitions.map(({ topicId, partition, fetchOffset, maxBytes: ownBytes }) => {
      const topic = this.#nameOf(topicId)
      if (topic === undefined) return answered(topicId, partition, 'UNKNOWN_TOPIC_ID')
      const fate = this.fetchFate(topic, partition)
      if (fate !== undefined) return answered(topicId, partition, fate)
      const endOffset = this.divergence(topic, partition)
      if (endOffset !== undefined) {
        return { ...answered(topicId, partition, 'NONE'), diverging: { epoch: 0, endOffset } }
      }
      const log = this.#log(topic, partition)
      if (fetchOffset < log.start || fetchOffset > log.end) return answered(topicId, partition, 'OFFSET_OUT_OF_RANGE')
      const lastStableOffset = this.stableOffset(topic, partition) ?? log.end
      const visible = { ...log, batches: log.batches.filter(({ end }) => end <= lastStableOffset) }
      const records = take(visible, fetchOffset, Math.min(left, ownBytes), left === maxBytes)
      if (records !== null) {
        this.spoil?.(records)
        this.spoil = undefined
      }
      left -= records?.length ?? 0
      return { ...answered(topicId, partition, 'NONE'), ...marks(log), lastStableOffset, records }
    })
  }
}

function answered(topicId: string, partition: number, error: string): FetchedPartition {
  return {
    topicId,
    partition,
    errorCode: errorCode(error),
    ...marks({ start: -1, end: -1 }),
    aborted: [],
    leaderHint: undefined,
    diverging: undefined,
    preferredReplica: -1,
    records: null,
  }
}

function marks({ start, end }: Pick<Log, 'start' | 'end'>) {
  return { highWatermark: end, lastStableOffset: end, logStartOffset: start }
}

/** The first batch comes whole where nothing came before it (KIP-74); the last one may be cut. */
function take(log: Log, from: number, maxBytes: number, isFirst: boolean): Buffer | null {
  const wanted = log.batches.filter(({ end }) => end > from).map(({ bytes }) => bytes)
  const [first] = wanted
  if (first === undefined || (!isFirst && first.length > maxBytes)) return null
  return Buffer.from(Buffer.concat(wanted).subarray(0, Math.max(first.length, maxBytes)))
}
