import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DataFolder } from '../folder/data-folder.ts'
import type { Account } from '../machine/account.ts'
import type { Java } from '../host/java.ts'
import { serverEnvironment } from '../host/server-environment.ts'
import type { ReadinessAttempt } from '../process/process-spec.ts'
import type { SupervisedProcess } from '../process/supervised-process.ts'
import type { Supervisor } from '../process/supervisor.ts'
import { askApiVersions } from './api-versions.ts'
import type { ClassArchive } from './class-archive.ts'
import type { BrokerAddress } from './options.ts'
import { log4jProperties } from './properties.ts'
import type { NodeFiles } from './storage.ts'

const answerTimeoutMs = 3_000
const startedLine = 'Kafka Server started'

export interface BrokerSpec {
  readonly address: BrokerAddress
  readonly files: NodeFiles
  readonly java: Java
  readonly jars: readonly string[]
  readonly jvmOptions: readonly string[]
  /** Undefined where none is used. */
  readonly archive: ClassArchive | undefined
  /** Who it runs as; undefined: as we do. */
  readonly account: Account | undefined
  /** Whether this broker writes the class archive at its exit, where there is none yet. */
  readonly writesArchive: boolean
  readonly keepRunning: boolean
  /** Of a secured cluster: what its readiness is asked with. */
  readonly certificate: string | undefined
}

/** Takes a broker into the supervisor, not started yet. */
export function addBroker(spec: BrokerSpec, folder: DataFolder, supervisor: Supervisor): SupervisedProcess {
  const { address, files, java, jars } = spec
  const log4jFile = join(files.folder, 'log4j2.properties')
  folder.writeForServers(log4jFile, log4jProperties, spec)
  return supervisor.add({
    name: `kafka-${address.id}`,
    command: java.command,
    args: [
      // Without memory some of its threads are gone, and it would run on and answer nothing.
      '-XX:+ExitOnOutOfMemoryError',
      ...spec.jvmOptions,
      ...(spec.archive?.options(spec.writesArchive ? archiveDraft(files) : undefined) ?? []),
      `-Dlog4j2.configurationFile=${log4jFile}`,
      '-Djava.awt.headless=true',
      '-cp',
      jars.join(':'),
      'kafka.Kafka',
      files.propertiesFile,
    ],
    cwd: files.workDir,
    env: serverEnvironment(files.workDir),
    stopTimeoutMs: 30_000,
    restart: spec.keepRunning ? 'always' : 'never',
    ...(folder.temporary && { orphanGraceMs: 0 }),
    readyTimeoutMs: 120_000,
    ready: (attempt) => isReady(attempt, address.port, spec.certificate),
    ...(spec.keepRunning && {
      answers: () => askApiVersions('127.0.0.1', address.port, answerTimeoutMs, spec.certificate),
    }),
    url: `127.0.0.1:${address.port}`,
    account: spec.account,
  })
}

export function archiveDraft(files: NodeFiles): string {
  return join(files.workDir, 'classes.jsa')
}

/** Ready is: it says so, and then answers a request. */
async function isReady({ output, signal }: ReadinessAttempt, port: number, ca: string | undefined): Promise<void> {
  while (!output().includes(startedLine)) await sleep(50, undefined, { signal })
  for (;;) {
    try {
      return await askApiVersions('127.0.0.1', port, 2_000, ca)
    } catch {
      await sleep(50, undefined, { signal })
    }
  }
}
