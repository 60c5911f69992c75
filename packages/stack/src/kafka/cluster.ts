import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { StackContext } from '../context.ts'
import { StackError } from '../errors.ts'
import type { DataFolder } from '../folder/data-folder.ts'
import { readJson, writeJson } from '../folder/json-file.ts'
import { type Account, canReach } from '../machine/account.ts'
import { findJava } from '../host/java.ts'
import { withOtherPorts } from '../host/ports.ts'
import type { SupervisedProcess } from '../process/supervised-process.ts'
import { kafkaJars } from './artefacts.ts'
import { type BrokerSpec, addBroker, archiveDraft } from './broker.ts'
import { ClassArchive } from './class-archive.ts'
import { loadSecrets } from '../folder/secrets.ts'
import { clientOptionsOf, type KafkaClientOptions } from './client-options.ts'
import { type BrokerAddress, type KafkaOptions, checkKafkaOptions, jvmOptions } from './options.ts'
import { serverProperties } from './properties.ts'
import type { BrokerView, KafkaServers } from './servers.ts'
import { type KafkaSecurity, type SecurityFiles, prepareSecurity } from './security.ts'
import { type NodeFiles, type StorageOptions, formatStorage, randomKafkaId } from './storage.ts'

/** What a data folder knows of its cluster. */
interface ClusterFile {
  readonly clusterId: string
  readonly brokers: readonly BrokerAddress[]
  /** Whether the nodes' storage is complete. */
  readonly formatted: boolean
  readonly secure?: boolean
}

interface Node {
  readonly address: BrokerAddress
  readonly files: NodeFiles
  readonly process: SupervisedProcess
}

/** A private Kafka cluster of this machine. */
export class KafkaCluster implements KafkaServers {
  readonly #nodes: readonly Node[]
  readonly #archive: ClassArchive | undefined
  readonly #account: Account | undefined
  readonly security: KafkaSecurity | undefined

  readonly #folder: DataFolder

  private constructor(
    nodes: readonly Node[],
    runtime: Runtime,
    folder: DataFolder,
    security: KafkaSecurity | undefined,
  ) {
    this.#nodes = nodes
    this.#folder = folder
    this.security = security
    this.#archive = runtime.archive
    this.#account = runtime.account
  }

  static async start(options: KafkaOptions, context: StackContext): Promise<KafkaCluster> {
    checkKafkaOptions(options)
    const runtime = await findRuntime(options, context)
    return withOtherPorts(async () => {
      const cluster = await planCluster(options, context)
      const secured = cluster.secure ? await prepareSecurity(runtime, context.folder) : undefined
      const nodes = await prepareNodes(cluster, securedOptions(options, secured), runtime, context)
      const started = nodes.map((node, index) => ({
        ...node,
        process: addBroker(
          {
            ...node,
            ...runtime,
            writesArchive: index === 0,
            keepRunning: context.keepRunning,
            certificate: secured?.certificate,
          },
          context.folder,
          context.supervisor,
        ),
      }))
      context.onProgress(nodes.length === 1 ? 'starting Kafka' : `starting ${nodes.length} Kafka brokers`)
      await startAll(started.map((node) => node.process))
      return new KafkaCluster(started, runtime, context.folder, secured?.security)
    })
  }

  get bootstrapServers(): string {
    return this.#nodes.map(({ address }) => `127.0.0.1:${address.port}`).join(',')
  }

  get clientOptions(): KafkaClientOptions {
    return clientOptionsOf(this.bootstrapServers, this.security, () => loadSecrets(this.#folder).kafkaAdmin)
  }

  get brokers(): BrokerView[] {
    return this.#nodes.map(({ address, process }) => ({ id: address.id, port: address.port, pid: process.pid }))
  }

  async kill(id: number): Promise<void> {
    await this.#node(id).process.killNow()
  }

  pause(id: number): void {
    this.#node(id).process.kill('SIGSTOP')
  }

  resume(id: number): void {
    this.#node(id).process.kill('SIGCONT')
  }

  async stop(id: number): Promise<void> {
    await this.#node(id).process.stop()
  }

  async restart(id: number): Promise<void> {
    const { process } = this.#node(id)
    await process.stop()
    await process.start()
  }

  /** Stops all brokers at once: the last ones could not hand over anything any more. */
  async close({ discard }: { readonly discard: boolean }): Promise<void> {
    const keepsArchive = this.#archive?.exists === false
    await Promise.all(
      this.#nodes.map(({ process }, index) => process.stop(discard && !(keepsArchive && index === 0) ? 0 : undefined)),
    )
    for (const { files } of this.#nodes) this.#archive?.adopt(archiveDraft(files), this.#account)
  }

  #node(id: number): Node {
    const node = this.#nodes.find(({ address }) => address.id === id)
    if (node) return node
    const ids = this.#nodes.map(({ address }) => address.id).join(', ')
    throw new StackError('option_invalid', `there is no broker ${id}`, `its ids are ${ids}`)
  }
}

/** What the brokers are run with. */
interface Runtime extends Pick<BrokerSpec, 'java' | 'jars' | 'jvmOptions' | 'archive' | 'account'> {}

async function findRuntime(options: KafkaOptions, { folder, onProgress }: StackContext): Promise<Runtime> {
  const java = await findJava()
  const jars = await kafkaJars(onProgress)
  const runtime = { java, jars, jvmOptions: jvmOptions(options.jvmOptions) }
  const archive = new ClassArchive(java, jars, runtime.jvmOptions)
  if (canReach(java.command, folder.account)) return { ...runtime, archive, account: folder.account }
  // As root it runs nothing that another account has written: no archive of classes, and data of its own.
  onProgress(`Kafka runs as root: ${folder.account?.name} cannot reach ${java.command}`)
  return { ...runtime, archive: undefined, account: undefined }
}

/** All at once: none is ready before the others are. When one fails, the others are ended. */
async function startAll(processes: readonly SupervisedProcess[]): Promise<void> {
  const starts = processes.map((process) => process.start())
  try {
    await Promise.all(starts)
  } catch (error) {
    await Promise.all(processes.map((process) => process.stop(0)))
    await Promise.allSettled(starts)
    throw error
  }
}

function securedOptions(options: KafkaOptions, secured: SecurityFiles | undefined): KafkaOptions {
  if (!secured) return options
  const { properties = {}, formatArguments = [] } = options
  return {
    ...options,
    formatArguments: [...secured.formatArguments, ...formatArguments],
    properties: (broker) => ({
      ...secured.properties(broker),
      ...(typeof properties === 'function' ? properties(broker) : properties),
    }),
  }
}

/** Writes the nodes' configuration, and formats their storage at the first time. */
async function prepareNodes(
  cluster: ClusterFile,
  options: KafkaOptions,
  { java, jars, account }: Pick<StorageOptions, 'java' | 'jars' | 'account'>,
  { folder }: StackContext,
): Promise<Omit<Node, 'process'>[]> {
  const nodes = cluster.brokers.map((address) => ({ address, files: nodeFiles(folder, address.id, account) }))
  for (const { address, files } of nodes) writeProperties(address, files, cluster.brokers, options, folder, account)
  const files = nodes.map((node) => node.files)
  await formatOnce(cluster, files, folder, { java, jars, account, formatArguments: options.formatArguments ?? [] })
  return nodes
}

/** Which nodes there are: those of the data folder where it has some, with ports that are free now. */
async function planCluster(options: KafkaOptions, { folder, ports }: StackContext): Promise<ClusterFile> {
  folder.passage('kafka')
  const known = readJson<ClusterFile>(clusterFile(folder))
  const count = options.brokers ?? known?.brokers.length ?? 1
  if (known && known.brokers.length !== count) throw brokerCountError(folder.path, known.brokers.length, count)
  const secure = options.secure ?? known?.secure ?? false
  if (known && secure !== (known.secure ?? false)) throw securityError(folder.path, secure)
  const brokers: BrokerAddress[] = []
  for (let id = 1; id <= count; id++) {
    const given = options.ports?.[id - 1]
    const port =
      given === undefined
        ? await ports.take(folder.preferredPorts(`kafka-${id}`, 9090 + 2 * id))
        : await ports.takeExactly(given, 'kafka.ports')
    const controllerPort = await ports.take(folder.preferredPorts(`kafka-${id}-controller`, 9091 + 2 * id))
    folder.rememberPort(`kafka-${id}`, port)
    folder.rememberPort(`kafka-${id}-controller`, controllerPort)
    brokers.push({ id, port, controllerPort })
  }
  const cluster = {
    clusterId: known?.clusterId ?? randomKafkaId(),
    brokers,
    formatted: known?.formatted ?? false,
    secure,
  }
  writeJson(clusterFile(folder), cluster)
  return cluster
}

function clusterFile(folder: DataFolder): string {
  return join(folder.path, 'kafka', 'cluster.json')
}

function brokerCountError(dataDir: string, holds: number, wanted: number): StackError {
  return new StackError(
    'broker_count',
    `the data in ${dataDir} is of ${holds} broker${holds === 1 ? '' : 's'}, and ${wanted} ${wanted === 1 ? 'is' : 'are'} wanted`,
    `start it with --brokers ${holds}, or begin anew with --clean (which removes the data)`,
    { facts: { dataDir, holds, wanted } },
  )
}

function securityError(dataDir: string, secure: boolean): StackError {
  return new StackError(
    'option_invalid',
    `the cluster in ${dataDir} was made ${secure ? 'without' : 'with'} security, which cannot be changed`,
    'take it as it is, or begin anew with --clean (which removes the data)',
    { facts: { dataDir } },
  )
}

function nodeFiles(folder: DataFolder, id: number, account: Account | undefined): NodeFiles {
  const path = folder.passage('kafka', `node-${id}`)
  const dataDir = folder.serverFolder(`kafka/node-${id}/data`, { account })
  const workDir = folder.serverFolder(`kafka/node-${id}/work`, { account })
  return { folder: path, workDir, dataDir, propertiesFile: join(path, 'server.properties') }
}

function writeProperties(
  address: BrokerAddress,
  files: NodeFiles,
  cluster: readonly BrokerAddress[],
  { properties = {} }: KafkaOptions,
  folder: DataFolder,
  account: Account | undefined,
): void {
  const more = typeof properties === 'function' ? properties(address) : properties
  folder.writeForServers(files.propertiesFile, serverProperties(address, cluster, files.dataDir, more), { account })
}

/** Formats once. A format that was cut short is begun anew: it holds nothing yet. */
async function formatOnce(
  cluster: ClusterFile,
  nodes: readonly NodeFiles[],
  folder: DataFolder,
  options: Omit<StorageOptions, 'clusterId'>,
): Promise<void> {
  if (cluster.formatted) return
  for (const { dataDir } of nodes) rmSync(dataDir, { recursive: true, force: true })
  for (const { id } of cluster.brokers) nodeFiles(folder, id, options.account)
  await formatStorage(nodes, folder, { ...options, clusterId: cluster.clusterId })
  writeJson(clusterFile(folder), { ...cluster, formatted: true } satisfies ClusterFile)
}
