import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, text, topic } from '@sluice/kafka'
import { type KafkaServers, type Stack, startStack } from '@sluice/stack'
import { freePort } from '../../system/support/holding-proxy.ts'

/** An address that no resolver knows: RFC 2606 keeps `.invalid` free. */
export const lostHost = 'kafka-0.kafka-headless.prod.svc.invalid'

/** The broker that the faults make sick. */
export const sick = 3

/** Topics, groups and brokers that can be made sick. Each broker leads two partitions of `orders`. */
export class OutageCluster implements AsyncDisposable {
  readonly kafka: Kafka
  readonly #stack: Stack
  /** A listener whose address is advertised wrongly. */
  readonly lostBootstrap: string

  static async start(): Promise<OutageCluster> {
    const lostPorts = [await freePort(), await freePort(), await freePort()]
    const stack = await startStack({
      kafka: {
        brokers: 3,
        properties: ({ id, port, controllerPort }) => ({
          listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort},LOST://127.0.0.1:${lostPorts[id - 1]}`,
          'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},LOST://${lostHost}:${lostPorts[id - 1]}`,
          'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LOST:PLAINTEXT',
          // A frozen broker stays the leader for as long as the commands are tried.
          'broker.session.timeout.ms': 120_000,
        }),
      },
    })
    const cluster = new OutageCluster(stack, lostPorts)
    await cluster.#fill()
    return cluster
  }

  private constructor(stack: Stack, lostPorts: readonly number[]) {
    this.#stack = stack
    this.kafka = new Kafka({ brokers: stack.kafka.bootstrapServers.split(','), clientId: 'outage' })
    this.lostBootstrap = lostPorts.map((port) => `127.0.0.1:${port}`).join(',')
  }

  get bootstrap(): string {
    return this.#stack.kafka.bootstrapServers
  }

  get servers(): KafkaServers {
    return this.#stack.kafka
  }

  /** Partitions of `orders` that this broker leads, or that have it as their only replica. */
  async partitionsOf(broker: number): Promise<readonly number[]> {
    const [described] = await this.kafka.admin().describeTopics(['orders'])
    return described!.partitions.filter(({ replicas }) => replicas.includes(broker)).map(({ partition }) => partition)
  }

  /** Of the groups that were made one that this broker coordinates. */
  async groupAt(broker: number): Promise<string> {
    return await this.#groupWhere((coordinator) => coordinator === broker)
  }

  /** One that another broker coordinates. */
  async groupBeside(broker: number): Promise<string> {
    return await this.#groupWhere((coordinator) => coordinator !== broker)
  }

  async #groupWhere(fits: (coordinator: number) => boolean): Promise<string> {
    const { topics } = await this.kafka.admin().surveyTopics(['__consumer_offsets'])
    const leaders = topics[0]!.partitions.map(({ leader }) => leader)
    const found = groupNames.find((group) => fits(leaders[hashOf(group) % leaders.length]!))
    if (found === undefined) throw new Error(`no group has such a coordinator; the leaders are ${leaders.join(', ')}`)
    return found
  }

  /** Until every partition of `orders` has a leader, and every broker answers. */
  async heal(): Promise<void> {
    for (let tries = 0; tries < 240; tries++) {
      const { topics } = await this.kafka.admin().surveyTopics(['orders', 'ok'])
      const isWell = topics.every(({ partitions }) => partitions.every(({ error }) => error === undefined))
      if (topics.length === 2 && isWell) return
      await sleep(500)
    }
    throw new Error('the cluster did not become well again')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kafka.close()
    await this.#stack.close()
  }

  /** The topic that no fault touches. Kafka chooses its leader at random: it is created again where that is `sick`. */
  async #createOk(): Promise<void> {
    const admin = this.kafka.admin()
    for (;;) {
      await admin.createTopics([{ name: 'ok', partitions: 1, replicationFactor: 3 }])
      const [described] = await admin.describeTopics(['ok'])
      if (described!.partitions[0]!.leader !== sick) return
      await admin.deleteTopics(['ok'])
    }
  }

  async #fill(): Promise<void> {
    const admin = this.kafka.admin()
    await admin.createTopics([
      { name: 'orders', partitions: 6, replicationFactor: 1 },
      { name: 'held', partitions: 1, replicationFactor: 3 },
      { name: 'stays', partitions: 1, replicationFactor: 3 },
      { name: 'goes', partitions: 1, replicationFactor: 3 },
    ])
    await this.#createOk()
    await using producer = await this.kafka.producer()
    for (const [name, partitions] of [
      ['orders', 6],
      ['ok', 1],
      ['stays', 1],
      ['goes', 1],
    ] as const) {
      const target = topic(name, { value: text })
      const sent = Array.from({ length: partitions * perPartition }, (_, n) =>
        producer.send(target, { value: `${n}`, partition: n % partitions }),
      )
      await Promise.all(sent)
    }
    for (const group of groupNames) {
      const orders = Array.from({ length: 6 }, (_, partition) => ({ topic: 'orders', partition, offset: 3 }))
      await admin.alterOffsets(group, [...orders, { topic: 'ok', partition: 0, offset: 4 }])
    }
  }
}

/** Records of each partition. */
export const perPartition = 10

const groupNames: readonly string[] = Array.from({ length: 12 }, (_, n) => `readers-${n}`)

/** Java's `String.hashCode`, by which Kafka places a group in its topic of offsets. */
function hashOf(text: string): number {
  let hash = 0
  for (let at = 0; at < text.length; at++) hash = (Math.imul(31, hash) + text.charCodeAt(at)) | 0
  return Math.abs(hash)
}
