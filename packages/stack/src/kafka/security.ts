import { execFile } from 'node:child_process'
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { StackError } from '../errors.ts'
import type { DataFolder } from '../folder/data-folder.ts'
import { handOver } from '../folder/hand-over.ts'
import { type Secrets, loadSecrets } from '../folder/secrets.ts'
import type { Account } from '../machine/account.ts'
import type { Java } from '../host/java.ts'
import type { BrokerAddress, BrokerProperties } from './options.ts'

/** How a secured cluster is reached; the password is in `secrets.json` of its data folder and nowhere else. */
export interface KafkaSecurity {
  /** Kafka: `security.protocol`. */
  readonly protocol: 'SASL_SSL'
  /** Kafka: `sasl.mechanism`. */
  readonly mechanism: 'SCRAM-SHA-512'
  /** The certificate to trust, as PEM. */
  readonly caFile: string
  /** May do everything. `guest` may do nothing until somebody grants it. */
  readonly username: 'admin'
}

/** What a secured cluster is started with. */
export interface SecurityFiles {
  readonly security: KafkaSecurity
  readonly certificate: string
  readonly formatArguments: readonly string[]
  readonly properties: (broker: BrokerAddress) => BrokerProperties
}

const caName = 'kafka-ca.pem'

/** Makes the brokers' key and certificate at the first time. */
export async function prepareSecurity(
  { java, account }: { readonly java: Java; readonly account: Account | undefined },
  folder: DataFolder,
): Promise<SecurityFiles> {
  const secrets = loadSecrets(folder)
  const keystore = join(folder.passage('kafka'), 'broker.p12')
  if (!existsSync(keystore)) await makeKeystore(java, keystore, secrets.kafkaStore)
  handOver(keystore, account)
  const certificate = await keytool(java, secrets.kafkaStore, ['-exportcert', '-rfc', ...storeArguments(keystore)])
  const caFile = folder.file(caName)
  writeFileSync(caFile, certificate)
  return {
    security: { protocol: 'SASL_SSL', mechanism: 'SCRAM-SHA-512', caFile, username: 'admin' },
    certificate,
    formatArguments: [scram('admin', secrets.kafkaAdmin), scram('guest', secrets.kafkaGuest)].flat(),
    properties: (broker) => properties(broker, keystore, secrets),
  }
}

function scram(name: string, password: string): string[] {
  return ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${name},password=${password}]`,
  ])
}

function properties({ port, controllerPort }: BrokerAddress, keystore: string, secrets: Secrets): BrokerProperties {
  const login = 'org.apache.kafka.common.security.scram.ScramLoginModule required'
  const jaas = `${login} username="admin" password="${secrets.kafkaAdmin}";`
  const store = (kind: 'keystore' | 'truststore'): BrokerProperties => ({
    [`ssl.${kind}.type`]: 'PKCS12',
    [`ssl.${kind}.location`]: keystore,
    [`ssl.${kind}.password`]: secrets.kafkaStore,
  })
  return {
    listeners: `SASL_SSL://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `SASL_SSL://127.0.0.1:${port}`,
    'inter.broker.listener.name': 'SASL_SSL',
    'sasl.mechanism.inter.broker.protocol': 'SCRAM-SHA-512',
    'sasl.enabled.mechanisms': 'SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config': jaas,
    'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': jaas,
    ...store('keystore'),
    ...store('truststore'),
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    // Without a name are only the brokers themselves, on the listener of the controllers.
    'super.users': 'User:admin;User:ANONYMOUS',
  }
}

/** Into a draft that is renamed: the store is whole or not there. */
async function makeKeystore(java: Java, keystore: string, password: string): Promise<void> {
  const draft = `${keystore}.draft`
  rmSync(draft, { force: true })
  const names = ['-dname', 'CN=localhost', '-ext', 'SAN=dns:localhost,ip:127.0.0.1']
  const validity = ['-keyalg', 'RSA', '-validity', '3650']
  await keytool(java, password, ['-genkeypair', ...validity, ...names, ...storeArguments(draft)])
  renameSync(draft, keystore)
}

function storeArguments(keystore: string): string[] {
  // By the environment: arguments are seen by every user of the machine.
  return ['-alias', 'broker', '-storetype', 'PKCS12', '-keystore', keystore, '-storepass:env', 'SLUICE_STORE_PASSWORD']
}

/** The tool that comes with every Java. */
async function keytool(java: Java, password: string, args: readonly string[]): Promise<string> {
  const env = { ...process.env, SLUICE_STORE_PASSWORD: password }
  try {
    const command = join(dirname(java.command), 'keytool')
    return (await promisify(execFile)(command, [...args], { env, timeout: 60_000 })).stdout
  } catch (error) {
    throw new StackError(
      'start_failed',
      "the brokers' key and certificate could not be made",
      'see what keytool says, in the cause',
      { cause: error },
    )
  }
}
