import type { Environment, Kafka, SurveyOptions } from '@sluice/kafka'
import { type Command, Option } from 'commander'
import { CliError, UsageError } from '../cli-error.ts'
import type { CommandContext } from '../command.ts'

export interface ConnectionFlags {
  readonly bootstrap?: string
}

/** Adds the options that say which Kafka is meant. */
export function withConnectionOptions(command: Command): Command {
  const text = 'brokers as host:port,host:port (default: KAFKA_BOOTSTRAP_SERVERS, else what `sluice up` has started)'
  return command.addOption(new Option('-b, --bootstrap <servers>', text).helpGroup('Connection:'))
}

/** Opens the Kafka that the command line, the environment or the running local stack names, and closes it afterwards. */
export async function withKafka<T>(
  { terminal, env }: CommandContext,
  flags: ConnectionFlags,
  work: (kafka: Kafka) => Promise<T>,
): Promise<T> {
  const { servers, source, settings } = await findServers(flags, env)
  const named: Environment = {
    KAFKA_CLIENT_ID: 'sluice-cli',
    ...env,
    ...settings,
    KAFKA_CONNECT_TIMEOUT_MS: env['KAFKA_CONNECT_TIMEOUT_MS']?.trim() || `${connectTimeoutMs}`,
    KAFKA_BOOTSTRAP_SERVERS: servers,
  }
  // Both libraries are large: help is shown without them.
  const { Kafka } = await import('@sluice/kafka')
  await using kafka = openFrom(named, source, Kafka)
  terminal.note(`Kafka at ${servers} (${source})`)
  return await work(kafka)
}

/** @throws UsageError that names where a wrong address is from; ConfigError for other settings */
function openFrom(env: Environment, source: string, client: typeof Kafka): Kafka {
  try {
    return client.fromEnv(env)
  } catch (error) {
    const { code, field, message } = error as { code?: unknown; field?: unknown; message: string }
    if (code !== 'config_invalid' || field !== 'brokers') throw error
    throw new UsageError(message.replace(/^brokers/, source), 'give addresses as host:port,host:port')
  }
}

/** So that a command answers within 3 s beside a broker that is frozen: its own start takes the rest. */
const connectTimeoutMs = 1_800
const silentMs = 1_000

/** How long one silent broker is waited for before the rest is shown: as long as the environment says, else 1 s. */
export function patienceOf({ env }: Pick<CommandContext, 'env'>): SurveyOptions {
  const given = Number(env['KAFKA_CONNECT_TIMEOUT_MS']?.trim())
  return { silentMs: Number.isSafeInteger(given) && given > 0 ? given : silentMs }
}

interface Servers {
  readonly servers: string
  /** Who says so. */
  readonly source: string
  readonly settings?: Environment
}

/** Where Kafka is, and who says so. @throws CliError where nobody does */
async function findServers({ bootstrap }: ConnectionFlags, env: NodeJS.ProcessEnv): Promise<Servers> {
  if (bootstrap !== undefined) return { servers: bootstrap, source: '--bootstrap' }
  const given = env['KAFKA_BOOTSTRAP_SERVERS']?.trim()
  if (given) return { servers: given, source: 'KAFKA_BOOTSTRAP_SERVERS' }
  const { kafkaEnvironment, projectDataDir, readStatus } = await import('@sluice/stack')
  const status = readStatus(projectDataDir(process.cwd(), env))
  if (status.kafka) {
    const source = `the local stack in ${status.dataDir}`
    return {
      servers: status.kafka.bootstrapServers,
      source,
      ...(status.kafka.security && { settings: kafkaEnvironment(status) }),
    }
  }
  throw new CliError(
    'kafka_unknown',
    'no Kafka is named, and none was started here',
    'start one with `sluice up`, or say where it is with --bootstrap host:port or KAFKA_BOOTSTRAP_SERVERS',
  )
}
