import { mkdtempSync, openSync, closeSync, ftruncateSync, rmSync, writeSync, globSync, chmodSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytes, Kafka, topic } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { RawBroker } from './raw-broker.ts'
import type { HostileTopic, Unreadables } from './topics.ts'

/** A broker, a database, and the hostile topics, filled. */
export class HostileGround implements AsyncDisposable {
  readonly kafka: Kafka
  readonly bootstrap: string
  readonly url: string
  /** By topic. */
  readonly unreadables = new Map<string, Unreadables>()
  readonly #stack: Stack
  readonly #folder: string

  private constructor(stack: Stack, folder: string) {
    this.#stack = stack
    this.#folder = folder
    this.bootstrap = stack.kafka.bootstrapServers
    this.url = stack.postgres.url
    this.kafka = new Kafka({ brokers: [this.bootstrap], clientId: 'hostile' })
  }

  static async open(topics: readonly HostileTopic[], random: () => number): Promise<HostileGround> {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-hostile-'))
    // As root the servers run as somebody else, who has to get there.
    chmodSync(folder, 0o755)
    // Records of 1970 would be deleted by their age.
    const properties = { 'log.retention.ms': -1 }
    const dataDir = join(folder, 'data')
    const stack = await startStack({ dataDir, environment: 'ignore', kafka: { properties }, postgres: true })
    const ground = new HostileGround(stack, folder)
    try {
      await ground.#fill(topics, random)
      return ground
    } catch (error) {
      await ground[Symbol.asyncDispose]()
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kafka.close({ timeoutMs: 5_000 })
    await this.#stack.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #fill(topics: readonly HostileTopic[], random: () => number): Promise<void> {
    const admin = this.kafka.admin()
    for (const { name, partitions, configs = {}, letters } of topics) {
      await admin.createTopics([{ name, partitions, configs }])
      if (letters) await admin.createTopics([{ name: `${name}.dlq`, ...letters }])
    }
    await this.#writeLogs(topics, random)
    await using raw = await RawBroker.connect(this.bootstrap)
    const logOf = (name: string, partition: number): string => this.#logOf(name, partition)
    for (const { name, fill } of topics) {
      this.unreadables.set(name, (await fill?.({ kafka: this.kafka, raw, random, logOf }, name)) ?? new Map())
    }
  }

  /** What no broker of today takes is put on the disk of one that is stopped. */
  async #writeLogs(topics: readonly HostileTopic[], random: () => number): Promise<void> {
    const written = topics.filter(({ log }) => log !== undefined)
    // A partition has its folder once something was sent to it.
    await using producer = await this.kafka.producer()
    for (const { name } of written) await producer.send(topic(name, { value: bytes }), { value: null })
    await this.#stack.kafka.stop(1)
    for (const { name, log } of written) this.#replaceLog(name, log!(random))
    await this.#stack.kafka.restart(1)
  }

  #logOf(name: string, partition: number): string {
    const [found] = globSync(`**/${name}-${partition}`, { cwd: this.#folder })
    if (found === undefined) throw new Error(`no folder of ${name}/${partition} below ${this.#folder}`)
    return join(this.#folder, found)
  }

  /** What the broker kept of the old log would contradict the new one. */
  #replaceLog(name: string, log: Buffer): void {
    const folder = this.#logOf(name, 0)
    for (const file of globSync('{*.index,*.timeindex,*.snapshot,leader-epoch-checkpoint}', { cwd: folder })) {
      rmSync(join(folder, file))
    }
    for (const file of globSync('*-checkpoint', { cwd: join(folder, '..') })) rmSync(join(folder, '..', file))
    const [file = ''] = globSync('*.log', { cwd: folder })
    const descriptor = openSync(join(folder, file), 'r+')
    ftruncateSync(descriptor, 0)
    writeSync(descriptor, log, 0, log.length, 0)
    closeSync(descriptor)
  }
}
