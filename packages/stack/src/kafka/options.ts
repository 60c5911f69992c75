import { StackError } from '../errors.ts'
import { requireKnownOptions } from '../known-options.ts'

/** Where a broker listens, for properties that depend on it. */
export interface BrokerAddress {
  readonly id: number
  readonly port: number
  /** Where its controller listens. */
  readonly controllerPort: number
}

/** Settings of a broker, as in `server.properties`. */
export type BrokerProperties = Readonly<Record<string, string | number | boolean>>

/** The Kafka of a stack. */
export interface KafkaOptions {
  /** How many nodes, each broker and controller: 1, or 3 to 9. Default: what the data folder holds, else 1. */
  readonly brokers?: number
  /**
   * TLS, SCRAM and permissions on every listener of clients; see `KafkaServers.security`. Default: what the data folder
   * holds, else false.
   */
  readonly secure?: boolean
  /** Broker properties over ours. */
  readonly properties?: BrokerProperties | ((broker: BrokerAddress) => BrokerProperties)
  /**
   * Options of the JVM in the place of `KAFKA_HEAP_OPTS` and `KAFKA_JVM_PERFORMANCE_OPTS`. Default without those: a heap
   * of 256 MiB, the serial collector, C1 only - right for tests and demos, to be replaced in a benchmark.
   */
  readonly jvmOptions?: readonly string[]
  /** More arguments of the storage tool, such as `--add-scram` and its value. */
  readonly formatArguments?: readonly string[]
  /** The brokers' ports, in the order of their ids. Default: 9092, 9094 ... of a project, random ones in tests. */
  readonly ports?: readonly number[]
}

/** @throws StackError for the first setting that makes no sense or does not exist */
export function checkKafkaOptions(options: KafkaOptions): void {
  requireKnownOptions('kafka.', options, {
    brokers: true,
    secure: true,
    properties: true,
    jvmOptions: true,
    formatArguments: true,
    ports: true,
  })
  const { brokers, ports } = options
  if (brokers !== undefined && !(Number.isInteger(brokers) && brokers >= 1 && brokers <= 9)) {
    throw new StackError('option_invalid', `kafka.brokers is ${brokers}`, 'give a whole number from 1 to 9')
  }
  if (brokers === 2) {
    const why = 'kafka.brokers is 2: two controllers cannot outvote the loss of one'
    throw new StackError('option_invalid', why, 'take 1, or 3 to survive the loss of one')
  }
  if (ports && ports.length !== (brokers ?? 1)) {
    throw new StackError(
      'option_invalid',
      'kafka.ports does not fit the number of brokers',
      'give one port for each broker',
    )
  }
}

const defaultHeap = ['-Xmx256m']
const defaultPerformance = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

/** The options of a broker's JVM: given ones, else those of Kafka's own environment variables, else small ones. */
export function jvmOptions(given: readonly string[] | undefined, env: NodeJS.ProcessEnv = process.env): string[] {
  if (given) return [...given]
  return [
    ...(words(env['KAFKA_HEAP_OPTS']) ?? defaultHeap),
    ...(words(env['KAFKA_JVM_PERFORMANCE_OPTS']) ?? defaultPerformance),
  ]
}

function words(text: string | undefined): string[] | undefined {
  const list = text?.split(/\s+/).filter((word) => word !== '')
  return list && list.length > 0 ? list : undefined
}
