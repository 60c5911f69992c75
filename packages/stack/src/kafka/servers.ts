import { StackError } from '../errors.ts'
import type { KafkaClientOptions } from './client-options.ts'
import type { KafkaSecurity } from './security.ts'

/** A node of the cluster, as it is now. */
export interface BrokerView {
  readonly id: number
  readonly port: number
  /** Of the JVM itself; undefined while it does not run. */
  readonly pid: number | undefined
}

/** Kafka as a stack offers it: our own, which can be broken on purpose, or one that was given. */
export interface KafkaServers {
  /** host:port of each broker, with commas between. */
  readonly bootstrapServers: string
  /**
   * For `new Kafka(stack.kafka.clientOptions)`: the brokers, with the certificate and the login of a cluster that is ours
   * and secured. Of a Kafka that the environment names, the brokers alone: `Kafka.fromEnv()` knows its login.
   */
  readonly clientOptions: KafkaClientOptions
  /** How to log in, where it is ours and secured. */
  readonly security?: KafkaSecurity | undefined
  /** Our own brokers; empty where Kafka was given. */
  readonly brokers: readonly BrokerView[]
  /** Kills a broker with SIGKILL; resolves when it is gone. In a throw-away stack it stays down until {@link restart}. */
  kill(id: number): Promise<void>
  /** Freezes a broker (SIGSTOP): it keeps its connections and answers nothing. */
  pause(id: number): void
  /** Lets a frozen broker go on (SIGCONT). */
  resume(id: number): void
  /** Stops a broker in an orderly way; resolves when it is gone. */
  stop(id: number): Promise<void>
  /** Starts a broker on its port and data; one that runs is stopped first. Resolves when it is ready. */
  restart(id: number): Promise<void>
  /** Stops the nodes that it started, and no other. */
  close(options: { readonly discard: boolean }): Promise<void>
}

/** A Kafka that somebody else runs: it is used, and nothing else is done to it. */
export class GivenKafka implements KafkaServers {
  readonly bootstrapServers: string
  readonly brokers: readonly BrokerView[] = []

  constructor(bootstrapServers: string) {
    this.bootstrapServers = bootstrapServers
  }

  get clientOptions(): KafkaClientOptions {
    return { brokers: this.bootstrapServers.split(',') }
  }

  async kill(): Promise<void> {
    this.#refuse()
  }

  pause(): void {
    this.#refuse()
  }

  resume(): void {
    this.#refuse()
  }

  async stop(): Promise<void> {
    this.#refuse()
  }

  async restart(): Promise<void> {
    this.#refuse()
  }

  async close(): Promise<void> {
    // Not ours to stop.
  }

  #refuse(): never {
    throw new StackError(
      'option_invalid',
      `the Kafka at ${this.bootstrapServers} was not started here, so its brokers are left alone`,
      'use a private Kafka: unset KAFKA_BOOTSTRAP_SERVERS',
    )
  }
}
