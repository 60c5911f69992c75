import { StackError } from './errors.ts'
import type { DataFolder } from './folder/data-folder.ts'
import { StatusFile, type StackStatus } from './status-file.ts'
import type { KafkaServers } from './kafka/servers.ts'
import type { PostgresServer } from './postgres/server.ts'
import type { Supervisor } from './process/supervisor.ts'
import type { RedisServer } from './redis/server.ts'

const watchEveryMs = 1_000
const serverNames = /^(kafka-\d+|postgres|redis)$/

/** Running servers. Closing it stops those that it started, and no other. */
export class Stack implements AsyncDisposable {
  /** Runs the servers; applications that are added to it are stopped before the servers are. */
  readonly supervisor: Supervisor
  /** Resolves when it is closed, also by itself: it ends when somebody removes its data folder. */
  readonly closed: Promise<void>
  readonly #resolveClosed: () => void
  readonly #watch: NodeJS.Timeout
  readonly #folder: DataFolder
  readonly #status: StatusFile
  #kafka: KafkaServers | undefined
  #postgres: PostgresServer | undefined
  #redis: RedisServer | undefined
  #closing: Promise<void> | undefined

  /** @internal */
  constructor(folder: DataFolder, supervisor: Supervisor) {
    this.#folder = folder
    this.supervisor = supervisor
    this.#status = new StatusFile(folder, supervisor)
    const { promise, resolve } = Promise.withResolvers<void>()
    this.closed = promise
    this.#resolveClosed = resolve
    this.#watch = setInterval(() => this.#endWithoutFolder(), watchEveryMs)
    this.#watch.unref()
  }

  /** The folder of its data. */
  get dataDir(): string {
    return this.#folder.path
  }

  /**
   * The Kafka of the stack.
   * @throws StackError where the stack has no Kafka
   */
  get kafka(): KafkaServers {
    return this.#kafka ?? missing('kafka')
  }

  /**
   * The PostgreSQL of the stack.
   * @throws StackError where the stack has no PostgreSQL
   */
  get postgres(): PostgresServer {
    return this.#postgres ?? missing('postgres')
  }

  /**
   * The Redis of the stack.
   * @throws StackError where the stack has no Redis
   */
  get redis(): RedisServer {
    return this.#redis ?? missing('redis')
  }

  /** @internal What runs is told here as it becomes ready; with the state, all that was asked for is there. */
  publish(servers: {
    readonly kafka?: KafkaServers
    readonly postgres?: PostgresServer
    readonly redis?: RedisServer
  }): void {
    this.#kafka ??= servers.kafka
    this.#postgres ??= servers.postgres
    this.#redis ??= servers.redis
    this.#status.setAddresses({
      kafka: this.#kafka ? kafkaAddress(this.#kafka) : null,
      postgres: this.#postgres ? { url: this.#postgres.url } : null,
      redis: this.#redis ? { url: this.#redis.url } : null,
    })
  }

  /** @internal */
  started(): void {
    this.#status.setState('running')
  }

  /** The state, the addresses and the processes: what `sluice status` shows. */
  inspect(): StackStatus {
    return this.#status.current()
  }

  /** Stops the applications, the last started first, then the servers. A throw-away instance is killed and removed. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    clearInterval(this.#watch)
    try {
      // Servers without their data have nothing to save: Redis would refuse to end before it has.
      await this.#stopProcesses(this.#folder.temporary || !this.#folder.isHeld)
    } finally {
      this.#status.close()
      try {
        this.#folder.close()
      } finally {
        this.#resolveClosed()
      }
    }
  }

  async #stopProcesses(discard: boolean): Promise<void> {
    this.#status.setState('stopping')
    try {
      for (const { name } of this.supervisor.statuses().reverse()) {
        if (!serverNames.test(name)) await this.supervisor.get(name)?.stop()
      }
      await this.#kafka?.close({ discard })
    } finally {
      await this.supervisor.close(discard ? 0 : undefined)
    }
  }

  /** Nobody could find and end servers whose folder is gone. */
  #endWithoutFolder(): void {
    if (this.#folder.isHeld) return
    process.emitWarning(`the data folder ${this.#folder.path} was removed: stopping what runs in it`)
    this.close().catch((error: unknown) => process.emitWarning(`the stack did not stop: ${String(error)}`))
  }
}

function kafkaAddress({ bootstrapServers, security }: KafkaServers): StackStatus['kafka'] {
  return { bootstrapServers, ...(security && { security }) }
}

function missing(server: string): never {
  throw new StackError('not_running', `this stack has no ${server}`, `ask for it: startStack({ ${server}: true })`)
}
