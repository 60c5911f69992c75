import { systemClock, type Clock } from '@sluice/flow'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { AnyBroker, hedgeFor, hedgeMs } from './any-broker.ts'
import { fetch } from './apis/fetch.ts'
import {
  alterClientQuota,
  deleteGroup,
  deleteOffsets,
  describeClassicGroups,
  describeConsumerGroups,
  listGroups,
} from './apis/groups.ts'
import { heartbeat } from './apis/membership.ts'
import { findCoordinator, metadata } from './apis/metadata.ts'
import { commitOffsets, fetchOffsets, listOffsets, offsetsForLeaderEpoch } from './apis/offsets.ts'
import { initProducerId, produce } from './apis/produce.ts'
import {
  describeProducers,
  describeTransactions,
  listTransactions,
  writeAbortMarker,
} from './apis/transactions-admin.ts'
import {
  addOffsetsToTransaction,
  addPartitionsToTransaction,
  commitTransactionOffsets,
  endTransaction,
  transactionVersion,
} from './apis/transactions.ts'
import {
  alterTopicConfigs,
  createPartitions,
  createTopics,
  deleteRecords,
  deleteTopics,
  describeTopicConfigs,
} from './apis/topics.ts'
import { Connections } from './connections.ts'
import type { Address, SaslOptions } from './connect-options.ts'
import type { AdminDriver, ClusterMetadata, Driver } from './driver.ts'
import { endsWithin } from '../async/within.ts'

export interface DriverOptions {
  readonly bootstrap: readonly Address[]
  readonly clientId: string
  /** Also how long a new connection's first answer may take. */
  readonly connectTimeoutMs: number
  /** For every request; a fetch's `maxWaitMs` and an admin request's `timeoutMs` must be below it. */
  readonly requestTimeoutMs: number
  /** The largest answer that is taken, beyond what a fetch asks for. */
  readonly maxResponseBytes: number
  readonly tls?: TlsOptions | undefined
  readonly sasl?: SaslOptions | undefined
  /** Default: the system's. */
  readonly clock?: Clock
}

/** A driver on the connections and the protocol tables of `@platformatic/kafka`. Connects when first used. */
export function openDriver(options: DriverOptions): Driver {
  const clock = options.clock ?? systemClock
  const connections = new Connections({ ...options, clock })
  return driverOn(connections, options.bootstrap, clock, hedgeFor(options.connectTimeoutMs))
}

/** A driver whose requests go over these connections. */
export function driverOn(
  connections: Connections,
  bootstrap: readonly Address[],
  clock: Clock,
  hedge = hedgeMs,
): Driver {
  const brokers = new AnyBroker(bootstrap, clock, hedge)

  const ask = async (topics: readonly string[] | null): Promise<ClusterMetadata> => {
    const answer = await brokers.ask((broker) => metadata(connections, broker, topics))
    brokers.know(answer.brokers)
    return answer
  }

  return {
    metadata: ask,
    findCoordinator: (kind, key) => brokers.ask((broker) => findCoordinator(connections, broker, kind, key)),
    produce: (broker, request) => produce(connections, broker, request),
    initProducerId: (broker, request) => initProducerId(connections, broker, request),
    transactionVersion: () => brokers.ask((broker) => transactionVersion(connections, broker)),
    addPartitionsToTransaction: (coordinator, transactional, partitions) =>
      addPartitionsToTransaction(connections, coordinator, transactional, partitions),
    addOffsetsToTransaction: (coordinator, transactional, group) =>
      addOffsetsToTransaction(connections, coordinator, transactional, group),
    commitTransactionOffsets: (coordinator, request) => commitTransactionOffsets(connections, coordinator, request),
    endTransaction: (coordinator, request) => endTransaction(connections, coordinator, request),
    fetch: (broker, request) => fetch(connections, broker, request),
    listOffsets: (broker, isolation, queries) => listOffsets(connections, broker, isolation, queries),
    offsetsForLeaderEpoch: (broker, queries) => offsetsForLeaderEpoch(connections, broker, queries),
    heartbeat: (coordinator, request) => heartbeat(connections, coordinator, request),
    commitOffsets: (coordinator, request) => commitOffsets(connections, coordinator, request),
    fetchOffsets: (coordinator, request) => fetchOffsets(connections, coordinator, request),
    admin: adminOf(connections, brokers, clock),
    close: (graceMs) => connections.close(graceMs),
  }
}

function adminOf(connections: Connections, brokers: AnyBroker, clock: Clock): AdminDriver {
  // What changes something is sent once, to one broker that was just seen alive: never hedged, never repeated.
  const living = (): Promise<Address> =>
    brokers.ask(async (broker) => {
      await metadata(connections, broker, [])
      return broker
    })
  return {
    async metadataOfEach(wanted, topics) {
      const answers: ClusterMetadata[] = []
      const asked = wanted.map(async (broker) => {
        await metadata(connections, broker, topics).then(
          (answer) => answers.push(answer),
          () => {},
        )
      })
      await endsWithin(clock, Promise.all(asked), hedgeMs)
      return [...answers]
    },
    createTopics: async (topics, timeoutMs) => createTopics(connections, await living(), topics, timeoutMs),
    deleteTopics: async (names, timeoutMs) => deleteTopics(connections, await living(), names, timeoutMs),
    describeTopicConfigs: (names) => brokers.ask((broker) => describeTopicConfigs(connections, broker, names)),
    alterTopicConfigs: async (name, changes, validateOnly) =>
      alterTopicConfigs(connections, await living(), name, changes, validateOnly),
    createPartitions: async (name, count, timeoutMs, validateOnly) =>
      createPartitions(connections, await living(), { name, count }, timeoutMs, validateOnly),
    deleteRecords: (broker, places, timeoutMs) => deleteRecords(connections, broker, places, timeoutMs),
    deleteGroup: (coordinator, group) => deleteGroup(connections, coordinator, group),
    deleteOffsets: (coordinator, group, places) => deleteOffsets(connections, coordinator, group, places),
    alterClientQuota: async (clientId, bytesPerSecond) =>
      alterClientQuota(connections, await living(), clientId, bytesPerSecond),
    listGroups: (broker) => listGroups(connections, broker),
    describeConsumerGroups: (coordinator, groups) => describeConsumerGroups(connections, coordinator, groups),
    describeClassicGroups: (coordinator, groups) => describeClassicGroups(connections, coordinator, groups),
    listTransactions: (coordinator, filter) => listTransactions(connections, coordinator, filter),
    describeTransactions: (coordinator, ids) => describeTransactions(connections, coordinator, ids),
    describeProducers: (leader, places) => describeProducers(connections, leader, places),
    writeAbortMarker: (leader, marker) => writeAbortMarker(connections, leader, marker),
  }
}
