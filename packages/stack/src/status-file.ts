import type { KafkaSecurity } from './kafka/security.ts'
import type { ProcessStatus } from './process/process-spec.ts'
import type { Supervisor } from './process/supervisor.ts'
import type { DataFolder } from './folder/data-folder.ts'
import { FolderLock } from './folder/folder-lock.ts'
import { readJson, writeJson } from './folder/json-file.ts'
import { type Secrets, secretsFile } from './folder/secrets.ts'
import { join } from 'node:path'

/** How far a stack is. */
export type StackState = 'stopped' | 'starting' | 'running' | 'stopping'

/** Where things are: what `sluice status --json` prints. What does not run is null. */
export interface StackStatus {
  readonly state: StackState
  /** The folder of its data. */
  readonly dataDir: string
  /** `security` where the cluster is secured: how to log in, without the password (see {@link kafkaEnvironment}). */
  readonly kafka: { readonly bootstrapServers: string; readonly security?: KafkaSecurity } | null
  /** With its password: see `withoutPassword`. */
  readonly postgres: { readonly url: string } | null
  /** With its password: see `withoutPassword`. */
  readonly redis: { readonly url: string } | null
  /** Where people look at it in a browser. */
  readonly console: { readonly url: string } | null
  /** In the order in which they were added. */
  readonly processes: readonly ProcessStatus[]
}

export type StackAddresses = Pick<StackStatus, 'kafka' | 'postgres' | 'redis' | 'console'>

const fileName = 'status.json'
const noAddresses: StackAddresses = { kafka: null, postgres: null, redis: null, console: null }

/** The status of a data folder as of now. Addresses hold passwords: see `withoutPassword`. */
export function readStatus(dataDir: string): StackStatus {
  const stopped: StackStatus = { state: 'stopped', dataDir, ...noAddresses, processes: [] }
  // The file of a supervisor that was killed tells the past.
  if (!FolderLock.holder(dataDir)) return stopped
  return readJson<StackStatus>(join(dataDir, fileName)) ?? { ...stopped, state: 'starting' }
}

/** The variables with which a client reaches the Kafka of a stack; of a secured one with its password. */
export function kafkaEnvironment({ kafka, dataDir }: StackStatus): Readonly<Record<string, string>> {
  if (!kafka) return {}
  const { bootstrapServers, security } = kafka
  if (!security) return { KAFKA_BOOTSTRAP_SERVERS: bootstrapServers, KAFKA_SECURITY_PROTOCOL: 'PLAINTEXT' }
  return {
    KAFKA_BOOTSTRAP_SERVERS: bootstrapServers,
    KAFKA_SECURITY_PROTOCOL: security.protocol,
    KAFKA_SSL_CA_LOCATION: security.caFile,
    KAFKA_SASL_MECHANISM: security.mechanism,
    KAFKA_SASL_USERNAME: security.username,
    KAFKA_SASL_PASSWORD: readJson<Secrets>(join(dataDir, secretsFile))?.kafkaAdmin ?? '',
  }
}

/** Keeps `status.json` of a data folder in step with its supervisor. */
export class StatusFile {
  readonly #folder: DataFolder
  readonly #supervisor: Supervisor
  readonly #stopListening: () => void
  #state: StackState = 'starting'
  #addresses = noAddresses

  constructor(folder: DataFolder, supervisor: Supervisor) {
    this.#folder = folder
    this.#supervisor = supervisor
    this.#stopListening = supervisor.onEvent((event) => event.type !== 'message' && this.#write())
    this.#write()
  }

  setState(state: StackState): void {
    this.#state = state
    this.#write()
  }

  setAddresses(addresses: Partial<StackAddresses>): void {
    this.#addresses = { ...this.#addresses, ...addresses }
    this.#write()
  }

  current(): StackStatus {
    return {
      state: this.#state,
      dataDir: this.#folder.path,
      ...this.#addresses,
      processes: this.#supervisor.statuses(),
    }
  }

  close(): void {
    this.#stopListening()
    this.#addresses = noAddresses
    this.setState('stopped')
  }

  #write(): void {
    // Where the folder was removed, another one may be in its place by now.
    if (!this.#folder.isHeld) return
    try {
      writeJson(this.#folder.file(fileName), this.current())
    } catch (error) {
      // That must not stop the servers that still run, nor keep them from being stopped; the next change writes again.
      process.emitWarning(`the status could not be written: ${String(error)}`)
    }
  }
}
