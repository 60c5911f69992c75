import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka } from '@sluice/kafka'
import { migrate } from '@sluice/postgres'
import { type Stack, startStack } from '@sluice/stack'
import pg from 'pg'
import { Child, fromSource } from '../../system/support/child.ts'
import { makeEffectTables } from '../../system/support/effects.ts'
import { quickGroups } from '../../system/support/quick-groups.ts'
import type { OnceMemberJob } from '../programs/once-member.ts'
import { Source } from './source.ts'
import type { FaultPoint, Way } from './ways.ts'

export const partitions = 6
const sessionTimeoutMs = 1_500
export const transactionTimeoutMs = 4_000

/** Kafka and PostgreSQL with short timers, and clients of both. */
export class OnceServers implements AsyncDisposable {
  readonly stack: Stack
  readonly kafka: Kafka
  readonly pool: pg.Pool

  static async start(): Promise<OnceServers> {
    const properties = {
      ...quickGroups(sessionTimeoutMs),
      // How soon it notices that a transaction has been open for too long.
      'transaction.abort.timed.out.transaction.cleanup.interval.ms': 200,
    }
    const servers = new OnceServers(await startStack({ kafka: { properties }, postgres: true }))
    await migrate(servers.pool)
    return servers
  }

  private constructor(stack: Stack) {
    this.stack = stack
    this.kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'proof' })
    this.pool = new pg.Pool({ connectionString: stack.postgres.url, max: 8 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kafka.close()
    await this.pool.end()
    await this.stack.close()
  }
}

/** Where the copies of a pipe go, and those of every tenth. */
export const outputsOf = (topic: string): readonly [string, string] => [`${topic}-out`, `${topic}-tenths`]

/** A topic with its source, the tables and topics of its effects, and the processes that handle it. */
export class OnceGroup implements AsyncDisposable {
  readonly way: Way
  readonly servers: OnceServers
  readonly source: Source
  readonly #folder: string
  readonly #alive = new Set<Child>()
  /** Ended although nobody told them to. */
  readonly deserted: string[] = []

  /** `folder`: for what has to outlive the members. */
  static async open(
    servers: OnceServers,
    way: Way,
    topic: string,
    folder: string,
    count = partitions,
  ): Promise<OnceGroup> {
    const { kafka, pool } = servers
    const names = [topic, ...(way === 'pipe' ? outputsOf(topic) : [])]
    await kafka.admin().createTopics(names.map((name) => ({ name, partitions: count })))
    if (way !== 'pipe') {
      await makeEffectTables(pool, topic)
      // In which order they came.
      await pool.query(`ALTER TABLE ${topic} ADD COLUMN place bigserial`)
    }
    return new OnceGroup(servers, way, await Source.open(kafka, topic), folder)
  }

  private constructor(servers: OnceServers, way: Way, source: Source, folder: string) {
    this.servers = servers
    this.way = way
    this.source = source
    this.#folder = folder
  }

  get topic(): string {
    return this.source.topic
  }

  get group(): string {
    return `of-${this.topic}`
  }

  /** `isStubborn`: it believes in its membership for a minute, whatever the group says. */
  start(name: string, fault?: FaultPoint, isStubborn = false): Child {
    const { stack } = this.servers
    const job: OnceMemberJob = {
      way: this.way,
      bootstrap: stack.kafka.bootstrapServers,
      url: stack.postgres.url,
      topic: this.topic,
      group: this.group,
      name,
      stateDir: join(this.#folder, 'state'),
      sessionTimeoutMs: isStubborn ? 60_000 : sessionTimeoutMs,
      batch: 100,
      transactionTimeoutMs,
      ...(fault !== undefined && { fault }),
    }
    const program = join(import.meta.dirname, '..', 'programs', 'once-member.ts')
    const env = { NODE_COMPILE_CACHE: join(this.#folder, 'compiled') }
    const child = new Child(...fromSource(program, [JSON.stringify(job)]), { env })
    this.#alive.add(child)
    void child.ended.then(({ code, signal, stdout, stderr }) => {
      this.#alive.delete(child)
      if (signal === 'SIGKILL' || code === 0) return
      this.deserted.push(
        `${name} of ${this.topic} ended with ${signal ?? code}: ${stdout.slice(-500)} ${stderr.slice(-1_000)}`,
      )
    })
    return child
  }

  /** Until the group has committed all there is. Not an error where it stands still: the verdict says what is missing. */
  async untilHandled(stallMs = 60_000): Promise<void> {
    let [lag, changedMs] = [Infinity, performance.now()]
    while (lag > 0 && performance.now() - changedMs < stallMs) {
      await sleep(200)
      const now = await this.lag()
      if (now !== lag) changedMs = performance.now()
      lag = now
    }
    if (lag > 0) this.deserted.push(`${this.topic} stood still for ${stallMs} ms, ${lag} records behind`)
  }

  async lag(): Promise<number> {
    const { kafka } = this.servers
    const lags = await kafka.admin().lag(this.group, { topics: [this.topic] })
    // A partition without a commit is behind by all it holds.
    return lags.reduce((sum, { topic, lag }) => sum + (topic === this.topic ? (lag ?? 1) : 0), 0)
  }

  async leaveAll(): Promise<void> {
    const leave = async (child: Child): Promise<void> => {
      // Before that nobody heeds the signal. One that has ended is among the deserted.
      await child.line((line) => line === 'started').catch(() => {})
      await child.kill('SIGTERM')
    }
    await Promise.all([...this.#alive].map(leave))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#alive) await child[Symbol.asyncDispose]()
    await this.source[Symbol.asyncDispose]()
  }
}
