import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { StackError } from '../errors.ts'
import type { DataFolder } from '../folder/data-folder.ts'
import { readFrom, writeFor } from '../machine/safe-file.ts'
import type { Account } from '../machine/account.ts'
import type { Java } from '../host/java.ts'
import { serverEnvironment } from '../host/server-environment.ts'
import { RunFailure, runGuarded } from '../process/run-guarded.ts'

const bootstrapFile = 'bootstrap.checkpoint'
const metaFile = 'meta.properties'

/** A node's folders and files. */
export interface NodeFiles {
  /** Ours, with what the node reads; as root the node itself can write to the other two folders alone. */
  readonly folder: string
  /** The current folder and the home of its JVM. */
  readonly workDir: string
  readonly dataDir: string
  readonly propertiesFile: string
}

export interface StorageOptions {
  readonly java: Java
  readonly jars: readonly string[]
  readonly clusterId: string
  /** May hold passwords. */
  readonly formatArguments: readonly string[]
  /** Who the nodes run as; undefined: as we do. */
  readonly account: Account | undefined
}

/** A random id as Kafka writes them: 16 bytes in URL-safe base64, not beginning with a dash. */
export function randomKafkaId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url')
    if (!id.startsWith('-')) return id
  }
}

/**
 * Prepares the empty data folders of new nodes. The storage tool does the first; the others get the same bootstrap
 * checkpoint, which holds the cluster's features and credentials and nothing of a node, and an identity of their own.
 */
export async function formatStorage(
  nodes: readonly NodeFiles[],
  folder: DataFolder,
  options: StorageOptions,
): Promise<void> {
  const [first, ...others] = nodes
  if (!first) return
  await runStorageTool(first, folder, options)
  for (const [index, node] of others.entries()) {
    const checkpoint = readFrom(options.account, join(first.dataDir, bootstrapFile))
    writeFor(options.account, join(node.dataDir, bootstrapFile), checkpoint)
    writeFor(options.account, join(node.dataDir, metaFile), metaProperties(options.clusterId, index + 2))
  }
}

function metaProperties(clusterId: string, nodeId: number): string {
  return `version=1\ncluster.id=${clusterId}\nnode.id=${nodeId}\ndirectory.id=${randomKafkaId()}\n`
}

async function runStorageTool(
  node: NodeFiles,
  folder: DataFolder,
  { java, jars, clusterId, formatArguments, account }: StorageOptions,
): Promise<void> {
  const jvm = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', jars.join(':')]
  const tool = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', node.propertiesFile, ...formatArguments]
  // By a file: arguments are seen by every user of the machine.
  const argumentFile = join(node.folder, 'format.args')
  folder.writeForServers(argumentFile, javaArguments([...jvm, ...tool]), { account })
  try {
    await runGuarded({
      name: 'the storage tool',
      command: java.command,
      args: [`@${argumentFile}`],
      cwd: node.workDir,
      env: serverEnvironment(node.workDir),
      account,
      outputFile: join(node.folder, 'format.out'),
      timeoutMs: 60_000,
    })
  } catch (error) {
    const output = error instanceof RunFailure ? error.output : String(error)
    throw new StackError(
      'start_failed',
      'the storage of Kafka could not be formatted',
      'see what the storage tool says',
      {
        cause: error,
        facts: { output },
      },
    )
  } finally {
    rmSync(argumentFile, { force: true })
  }
}

/** Arguments as a file for `java @file` has them: each in quotes, one per line. */
export function javaArguments(args: readonly string[]): string {
  const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\f': '\\f' }
  return args.map((arg) => `"${arg.replaceAll(/[\\"\n\r\t\f]/g, (c) => escapes[c] ?? `\\${c}`)}"\n`).join('')
}
