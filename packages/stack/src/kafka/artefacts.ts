import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder, cached } from '../host/cache-folder.ts'
import { type Artefact, copyDependencies, pomOf } from '../host/maven.ts'
import { kafkaVersion } from '../kafka-version.ts'

const log4jVersion = '2.25.4'
const serverArtefacts: readonly Artefact[] = [
  { group: 'org.apache.kafka', name: 'kafka_2.13', version: kafkaVersion },
  { group: 'org.apache.logging.log4j', name: 'log4j-slf4j-impl', version: log4jVersion },
  { group: 'org.apache.logging.log4j', name: 'log4j-core', version: log4jVersion },
]
const toolsArtefacts: readonly Artefact[] = [
  ...serverArtefacts,
  { group: 'org.apache.kafka', name: 'kafka-tools', version: kafkaVersion },
]

/** The jars of the server, from the cache or fetched. */
export function kafkaJars(onProgress: (message: string) => void): Promise<string[]> {
  return jars('kafka', `Kafka ${kafkaVersion}`, serverArtefacts, onProgress)
}

/**
 * The class path of Kafka's own console tools (`org.apache.kafka.tools.ConsoleProducer` and the like), which the tests
 * use as independent witnesses. Fetched when first asked for.
 */
export async function kafkaToolsClassPath(onProgress: (message: string) => void = () => {}): Promise<string> {
  return (await jars('kafka-tools', `Kafka's tools ${kafkaVersion}`, toolsArtefacts, onProgress)).join(':')
}

/** Whether a start needs neither Maven nor the network. */
export function kafkaServerIsCached(): boolean {
  return existsSync(join(cacheFolder(), cacheName('kafka', serverArtefacts)))
}

function cacheName(name: string, artefacts: readonly Artefact[]): string {
  return `${name}-${kafkaVersion}-${createHash('sha256').update(pomOf(artefacts)).digest('hex').slice(0, 12)}`
}

async function jars(
  name: string,
  what: string,
  artefacts: readonly Artefact[],
  onProgress: (message: string) => void,
): Promise<string[]> {
  const folder = await cached(cacheName(name, artefacts), async (draft) => {
    const workDir = join(draft, 'maven')
    mkdirSync(workDir)
    await copyDependencies(artefacts, draft, { what, workDir, onProgress })
    rmSync(workDir, { recursive: true })
  })
  // Sorted: a class archive is good only for exactly the class path that it was made with.
  return readdirSync(folder)
    .filter((file) => file.endsWith('.jar'))
    .sort()
    .map((file) => join(folder, file))
}
