import type { ManualClock } from '@sluice/flow'
import { decodeRecords, readBatchHeaders } from '../../batch/decode.ts'
import { Cluster } from '../../cluster/cluster.ts'
import { brokerError, errorCode } from '../../driver/classify.ts'
import type {
  BrokerNode,
  Driver,
  OffsetCommit,
  PartitionKey,
  ProduceRequest,
  ProducerIdentity,
  TransactionalIdentity,
  TransactionOffsetsRequest,
  TransactionVersion,
} from '../../driver/driver.ts'
import { ConnectionError } from '../../errors.ts'

/**
 * What happens to a request: it is lost, or its answer is, or nothing is ever heard of it, or it is refused, or done and
 * answered, with this error.
 */
export type Fate =
  | 'unanswered'
  | 'request_lost'
  | 'answer_lost'
  | { readonly refusedWith: string }
  | { readonly doneWith: string }
  | undefined
export type RequestName = 'init' | 'register' | 'produce' | 'offsets' | 'end'

const unknownPartition = errorCode('UNKNOWN_TOPIC_OR_PARTITION')
const broker: BrokerNode = { id: 1, host: 'simulated', port: 9092 }

interface Open {
  readonly records: string[]
  readonly added: Set<string>
  offset: number | undefined
}

/** One broker that keeps Kafka's rules of transactions for one transactional id, in memory. Topics are there when named. */
export class SimulatedTransactions {
  readonly version: TransactionVersion
  readonly cluster: Cluster
  /** What a reader of what is committed sees, in order. */
  readonly committed: string[] = []
  /** As committed by transactions, of the one partition there is. */
  offset: number | undefined
  readonly requests: RequestName[] = []
  /** How many every topic has. */
  partitions = 2
  /** How many times the topics were deleted and created again. */
  generation = 0
  /** Of every topic. */
  configs: Readonly<Record<string, string>> = {}
  fate: (name: RequestName) => Fate = () => undefined
  /** What errors of `produce` name. */
  refusedTopic: string | undefined
  /** A larger batch is refused. */
  maxBatchBytes = Infinity
  /** The error that every offset is refused with. */
  refusesOffsets: string | undefined
  /** What a commit may say of one partition (`offset.metadata.max.bytes`). */
  maxMetadataLength = 4_096
  /** The epoch of a member that the group takes. */
  memberEpoch = 1
  #identity: ProducerIdentity = { producerId: 1n, epoch: -1 }
  /** With version 2 the epoch of the transaction that was ended last, so that its end can be asked again. */
  #endedEpoch = -1
  #open: Open | undefined
  #sequences = new Map<string, { next: number; lastBase: number }>()

  constructor(clock: ManualClock, version: TransactionVersion) {
    this.version = version
    const driver = this.#driver() as Driver
    this.cluster = new Cluster({ driver, clock, coordinatorTimeoutMs: 1_000, metadataMaxAgeMs: 1e9 })
  }

  /** What the coordinator does with a transaction that is too old, or another producer by its start. */
  fence(): void {
    this.#open = undefined
    this.#next()
  }

  #driver(): Partial<Driver> {
    return {
      metadata: async (names) => ({
        clusterId: 'simulated',
        controllerId: 1,
        brokers: [broker],
        topics: (names ?? []).map((name) => ({
          name,
          id: `${name}.${this.generation}`,
          errorCode: 0,
          internal: false,
          partitions: Array.from({ length: this.partitions }, (_, partition) => ({
            partition,
            errorCode: 0,
            leader: 1,
            leaderEpoch: 0,
            replicas: [1],
            inSync: [1],
          })),
        })),
      }),
      findCoordinator: async () => broker,
      transactionVersion: async () => this.version,
      initProducerId: () =>
        this.#answer('init', () => {
          this.fence()
          this.#sequences.clear()
          return this.#identity
        }),
      addPartitionsToTransaction: (_, transactional, places) =>
        this.#answer('register', () => this.#register(transactional, places)),
      addOffsetsToTransaction: (_, transactional) =>
        this.#answer('register', () => void this.#register(transactional, [{ topic: '', partition: 0 }])),
      produce: (_, request) => this.#answer('produce', () => this.#produce(request)),
      commitTransactionOffsets: (_, request) => this.#answer('offsets', () => this.#commitOffsets(request)),
      endTransaction: (_, { transactional }) => this.#answer('end', () => this.#end(transactional)),
      fetchOffsets: async (_, { topics }) =>
        topics!.map(({ topic, partitions }) => ({
          topic,
          partition: partitions[0]!,
          errorCode: 0,
          offset: this.offset ?? -1,
          leaderEpoch: -1,
          metadata: '',
        })),
      admin: {
        describeTopicConfigs: async (names: readonly string[]) =>
          names.map((name) => ({ name, errorCode: 0, configs: this.configs })),
      } as unknown as Driver['admin'],
      close: async () => {},
    }
  }

  async #answer<T>(name: RequestName, act: () => T): Promise<T> {
    this.requests.push(name)
    const fate = this.fate(name)
    if (fate === 'unanswered') return await new Promise<never>(() => {})
    if (fate === 'request_lost') throw new ConnectionError('simulated', 'the connection broke')
    if (typeof fate === 'object' && 'refusedWith' in fate)
      throw brokerError(errorCode(fate.refusedWith), null, this.refusedTopic ? { topic: this.refusedTopic } : {})
    const answer = act()
    if (typeof fate === 'object') throw brokerError(errorCode(fate.doneWith), null)
    if (fate === 'answer_lost') throw new ConnectionError('simulated', 'the connection broke')
    return answer
  }

  #next(): void {
    this.#identity = { ...this.#identity, epoch: this.#identity.epoch + 1 }
  }

  #check({ epoch }: ProducerIdentity): void {
    if (epoch !== this.#identity.epoch) throw brokerError(errorCode('INVALID_PRODUCER_EPOCH'), null)
  }

  #begin(): Open {
    return (this.#open ??= { records: [], added: new Set(), offset: undefined })
  }

  #register(transactional: TransactionalIdentity, places: readonly PartitionKey[]) {
    this.#check(transactional)
    for (const { topic, partition } of places) this.#begin().added.add(`${topic}/${partition}`)
    return places.map((place) => ({ ...place, errorCode: this.#has(place) ? 0 : unknownPartition }))
  }

  #has({ topic, partition }: PartitionKey): boolean {
    return topic === '' || partition < this.partitions
  }

  #produce({ batches }: ProduceRequest) {
    const results = batches.map(({ topic, partition, batch }) => ({
      topic,
      partition,
      errorCode: this.#has({ topic, partition }) ? this.#append(`${topic}/${partition}`, batch) : unknownPartition,
      errorMessage: null,
      recordErrors: [],
      baseOffset: 0,
      logAppendTimeMs: -1,
      leaderHint: undefined,
    }))
    return { throttleMs: 0, results }
  }

  #append(place: string, batch: Buffer): number {
    if (batch.length > this.maxBatchBytes) return errorCode('MESSAGE_TOO_LARGE')
    const [header] = [...readBatchHeaders(batch)]
    if (header!.epoch !== this.#identity.epoch) return errorCode('INVALID_PRODUCER_EPOCH')
    const known = this.#sequences.get(place) ?? { next: 0, lastBase: -1 }
    if (header!.baseSequence === known.lastBase) return errorCode('DUPLICATE_SEQUENCE_NUMBER')
    if (header!.baseSequence !== known.next) return errorCode('OUT_OF_ORDER_SEQUENCE_NUMBER')
    const open = this.#begin()
    if (this.version === 1 && !open.added.has(place)) return errorCode('INVALID_TXN_STATE')
    this.#sequences.set(place, { next: known.next + header!.count, lastBase: header!.baseSequence })
    for (const { value } of decodeRecords(batch, header!)) open.records.push(value!.toString())
    return 0
  }

  #commitOffsets({ transactional, memberEpoch, offsets, version }: TransactionOffsetsRequest) {
    this.#check(transactional)
    const open = this.#begin()
    const isAdded = version === 2 || open.added.has('/0')
    const isKnown = memberEpoch === this.memberEpoch
    const code = !isAdded ? 'INVALID_TXN_STATE' : !isKnown ? 'ILLEGAL_GENERATION' : (this.refusesOffsets ?? 'NONE')
    if (code === 'NONE') open.offset = offsets[0]!.offset
    return offsets.map(({ topic, partition, metadata }: OffsetCommit) => {
      const isTooLong = code === 'NONE' && metadata.length > this.maxMetadataLength
      return { topic, partition, errorCode: errorCode(isTooLong ? 'OFFSET_METADATA_TOO_LARGE' : code) }
    })
  }

  #end(transactional: TransactionalIdentity): ProducerIdentity {
    if (this.#open === undefined && transactional.epoch === this.#endedEpoch) return this.#identity
    this.#check(transactional)
    if (this.#open === undefined) throw brokerError(errorCode('INVALID_TXN_STATE'), null)
    this.committed.push(...this.#open.records)
    this.offset = this.#open.offset ?? this.offset
    this.#open = undefined
    this.#endedEpoch = transactional.epoch
    if (this.version === 2) {
      this.#next()
      this.#sequences.clear()
    }
    return this.#identity
  }
}
