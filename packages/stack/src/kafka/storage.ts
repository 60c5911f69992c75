import { randomBytes } from 'node:crypto'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StackError } from '../errors.ts'
import type { DataFolder } from '../folder/data-folder.ts'
import type { Java } from '../host/java.ts'
import { RunFailure, runGuarded } from '../process/run-guarded.ts'

const bootstrapFile = 'bootstrap.checkpoint'
const metaFile = 'meta.properties'

/** A node's folders and files. */
export interface NodeFiles {
  readonly folder: string
  readonly dataDir: string
  readonly propertiesFile: string
}

export interface StorageOptions {
  readonly java: Java
  readonly jars: readonly string[]
  readonly clusterId: string
  readonly formatArguments: readonly string[]
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
  await runStorageTool(first, options)
  for (const [index, node] of others.entries()) {
    copyFileSync(join(first.dataDir, bootstrapFile), join(node.dataDir, bootstrapFile))
    writeFileSync(join(node.dataDir, metaFile), metaProperties(options.clusterId, index + 2))
    for (const file of [bootstrapFile, metaFile]) folder.give(join(node.dataDir, file))
  }
  for (const file of [bootstrapFile, metaFile]) folder.give(join(first.dataDir, file))
}

function metaProperties(clusterId: string, nodeId: number): string {
  return `version=1\ncluster.id=${clusterId}\nnode.id=${nodeId}\ndirectory.id=${randomKafkaId()}\n`
}

async function runStorageTool(
  node: NodeFiles,
  { java, jars, clusterId, formatArguments }: StorageOptions,
): Promise<void> {
  const jvm = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', jars.join(':')]
  const tool = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', node.propertiesFile, ...formatArguments]
  try {
    await runGuarded({
      name: 'the storage tool',
      command: java.command,
      args: [...jvm, ...tool],
      cwd: node.folder,
      env: process.env,
      account: undefined,
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
  }
}
