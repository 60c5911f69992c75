import type { ManualClock } from '@sluice/flow'
import { errorCode } from '../../driver/classify.ts'
import type {
  BrokerNode,
  LeaderHint,
  ProduceBatch,
  ProduceRequest,
  ProduceResponse,
  ProduceResult,
  ProducerIdentity,
  TopicMetadata,
} from '../../driver/driver.ts'
import { ConnectionError, RequestTimeoutError } from '../../errors.ts'
import { silentLog } from '../../log/testing/silent-log.ts'
import type { ProducerCluster } from '../producer-cluster.ts'
import { SimulatedPartition } from './simulated-partition.ts'

/** What happens to a request. */
export type Fate =
  | 'answered'
  /** It never left: nobody listens. */
  | 'unreachable'
  /** The connection broke before the broker read it. */
  | 'request_lost'
  /** The broker did it, and the connection broke before the answer. */
  | 'answer_lost'
  /** The client gives up waiting; the broker does it only at `thaw`. */
  | 'frozen'
  | { readonly refusedWith: string | number; readonly hint?: LeaderHint; readonly afterAppend?: boolean }
  | { readonly throttledMs: number }

const latencyMs = 2
export const requestTimeoutMs = 300

/** A cluster in memory, on a clock that stands still: brokers that keep Kafka's rules, and a script of faults. */
export class SimulatedCluster implements ProducerCluster {
  readonly log = silentLog()
  readonly #clock: ManualClock
  readonly #topics = new Map<string, SimulatedPartition[]>()
  readonly #leaders = new Map<string, number>()
  readonly #known = new Map<string, TopicMetadata>()
  readonly #inFlight = new Set<Buffer>()
  readonly #frozen: (() => void)[] = []
  /** Asked for each request; `answered` where it is not set. */
  fate: (request: ProduceRequest, broker: BrokerNode) => Fate = () => 'answered'
  readonly requests: { readonly broker: number; readonly request: ProduceRequest; readonly atMs: number }[] = []
  /** The same bytes in two requests that were both not answered yet. */
  sentTwiceAtOnce = 0
  #replacedBy: string | undefined
  #requestsInFlight = 0
  /** Of all brokers. */
  mostInFlight = 0
  refreshes = 0
  refreshError: Error | undefined

  clusterId: string | null = 'first'
  readonly #listeners = new Set<() => void>()
  readonly #onForgotten = new Set<(topics: readonly string[]) => void>()

  constructor(clock: ManualClock, firstEpoch = 0) {
    this.driver.initProducerId = async () => ({ producerId: 1n, epoch: firstEpoch })
    this.#clock = clock
  }

  readonly driver = {
    produce: (broker: BrokerNode, request: ProduceRequest) => this.#produce(broker, request),
    initProducerId: async (): Promise<ProducerIdentity> => ({ producerId: 1n, epoch: 0 }),
  }

  createTopic(name: string, partitions: number): readonly SimulatedPartition[] {
    const logs = Array.from({ length: partitions }, () => new SimulatedPartition())
    this.#topics.set(name, logs)
    logs.forEach((_, partition) => this.lead(name, partition, 1))
    return logs
  }

  /** Adds partitions; the producer does not know of them before it asks. Returns all. */
  grow(name: string, partitions: number): readonly SimulatedPartition[] {
    const logs = this.#topics.get(name)!
    for (let partition = logs.length; partition < partitions; partition++) {
      logs.push(new SimulatedPartition())
      this.lead(name, partition, 1)
    }
    return logs
  }

  /** Another cluster has the addresses: with the same topics, empty, and other producers. Told at the next refresh. */
  replace(id: string, producerId: bigint): void {
    for (const [name, logs] of this.#topics) this.createTopic(name, logs.length)
    this.driver.initProducerId = async () => ({ producerId, epoch: 0 })
    this.#replacedBy = id
  }

  onReplaced(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  onForgotten(listener: (topics: readonly string[]) => void): () => void {
    this.#onForgotten.add(listener)
    return () => this.#onForgotten.delete(listener)
  }

  /** As when these were not used for long. */
  forget(names: readonly string[]): void {
    for (const name of names) this.#known.delete(name)
    for (const listener of this.#onForgotten) listener(names)
  }

  /** Deletes the topic and creates it again, empty: no broker leads its former partitions any more. */
  recreate(name: string, partitions: number): readonly SimulatedPartition[] {
    const before = this.#topics.get(name)!.length
    for (let partition = partitions; partition < before; partition++) this.lead(name, partition, -1)
    return this.createTopic(name, partitions)
  }

  logsOf(name: string): readonly SimulatedPartition[] {
    return this.#topics.get(name)!
  }

  /** -1: nobody leads it. */
  lead(topic: string, partition: number, broker: number): void {
    this.#leaders.set(`${topic}/${partition}`, broker)
  }

  /** Frozen brokers do what they were asked, in the order of the connections that broke meanwhile. */
  thaw(): void {
    for (const doIt of this.#frozen.splice(0)) doIt()
  }

  async anyBroker(): Promise<BrokerNode> {
    return brokerNode(1)
  }

  topic(name: string): TopicMetadata | undefined {
    return this.#known.get(name)
  }

  leader(topic: string, partition: number): BrokerNode | undefined {
    const leader = this.#known.get(topic)?.partitions[partition]?.leader ?? -1
    return leader < 0 ? undefined : brokerNode(leader)
  }

  noteLeader(topic: string, partition: number, { leader, leaderEpoch }: LeaderHint): void {
    const known = this.#known.get(topic)
    if (!known) return
    const partitions = known.partitions.with(partition, { ...known.partitions[partition]!, leader, leaderEpoch })
    this.#known.set(topic, { ...known, partitions })
  }

  async refresh(topics: readonly string[]): Promise<void> {
    this.refreshes++
    await this.#clock.sleep(latencyMs)
    if (this.refreshError) throw this.refreshError
    this.learn(topics)
    if (this.#replacedBy === undefined) return
    this.clusterId = this.#replacedBy
    this.#replacedBy = undefined
    for (const listener of this.#listeners) listener()
  }

  /** Knows of these topics what is true now. */
  learn(topics: readonly string[]): void {
    for (const name of topics) this.#known.set(name, this.#metadataOf(name))
  }

  #metadataOf(name: string): TopicMetadata {
    const logs = this.#topics.get(name)
    const code = logs ? 0 : errorCode('UNKNOWN_TOPIC_OR_PARTITION')
    const partitions = (logs ?? []).map((_, partition) => {
      const leader = this.#leaders.get(`${name}/${partition}`)!
      return { partition, errorCode: 0, leader, leaderEpoch: 0, replicas: [1, 2], inSync: [1, 2] }
    })
    return { name, id: name, errorCode: code, internal: false, partitions }
  }

  async #produce(broker: BrokerNode, request: ProduceRequest): Promise<ProduceResponse> {
    // The producer uses the buffers again.
    const batches = request.batches.map((sent) => ({ ...sent, batch: Buffer.from(sent.batch) }))
    this.requests.push({ broker: broker.id, request: { ...request, batches }, atMs: this.#clock.monotonicMs() })
    for (const { batch } of request.batches) {
      if (this.#inFlight.has(batch)) this.sentTwiceAtOnce++
      this.#inFlight.add(batch)
    }
    this.mostInFlight = Math.max(this.mostInFlight, ++this.#requestsInFlight)
    try {
      return await this.#decide(broker, request)
    } finally {
      this.#requestsInFlight--
      for (const { batch } of request.batches) this.#inFlight.delete(batch)
    }
  }

  async #decide(broker: BrokerNode, request: ProduceRequest): Promise<ProduceResponse> {
    const fate = this.fate(request, broker)
    const address = `${broker.host}:${broker.port}`
    if (fate === 'unreachable') throw new ConnectionError(address, 'nobody listens', undefined, { requestSent: false })
    if (fate === 'frozen') {
      this.#frozen.push(() => this.#answer(broker, request))
      await this.#clock.sleep(requestTimeoutMs)
      throw new RequestTimeoutError(address, 'Produce', requestTimeoutMs)
    }
    await this.#clock.sleep(latencyMs)
    if (fate === 'request_lost') throw new ConnectionError(address, 'it broke')
    const response = this.#answer(broker, request, fate)
    if (fate === 'answer_lost') throw new ConnectionError(address, 'it broke')
    return response
  }

  #answer(broker: BrokerNode, request: ProduceRequest, fate: Fate = 'answered'): ProduceResponse {
    const throttleMs = typeof fate === 'object' && 'throttledMs' in fate ? fate.throttledMs : 0
    return { throttleMs, results: request.batches.map((batch) => this.#resultOf(broker, batch, fate)) }
  }

  #resultOf(broker: BrokerNode, { topic, partition, batch }: ProduceBatch, fate: Fate): ProduceResult {
    const rest = { topic, partition, errorMessage: null, recordErrors: [], logAppendTimeMs: -1 }
    const log = this.#topics.get(topic)?.[partition]
    const isRefused = typeof fate === 'object' && 'refusedWith' in fate
    if (isRefused && fate.afterAppend) log?.append(batch)
    if (isRefused) {
      const code = typeof fate.refusedWith === 'number' ? fate.refusedWith : errorCode(fate.refusedWith)
      return { ...rest, errorCode: code, baseOffset: -1, leaderHint: fate.hint }
    }
    const isLeader = this.#leaders.get(`${topic}/${partition}`) === broker.id
    if (log && isLeader) return { ...rest, ...log.append(batch), leaderHint: undefined }
    return { ...rest, errorCode: errorCode('NOT_LEADER_OR_FOLLOWER'), baseOffset: -1, leaderHint: undefined }
  }
}

function brokerNode(id: number): BrokerNode {
  return { id, host: 'simulated', port: id }
}
