import { execFile } from 'node:child_process'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import type { ParallelJob, ParallelMeasured } from '../programs/parallel.ts'

const exec = promisify(execFile)
const project = join(import.meta.dirname, '..', '..', 'java', 'parallel')
const jar = join(project, 'target', 'parallel-1.jar')

/** Builds the program around Parallel Consumer, if it is not built or older than its sources. Says nothing on the way. */
export async function buildJava(): Promise<void> {
  const sources = globSync('{pom.xml,src/**/*.java}', { cwd: project }).map((file) => join(project, file))
  const newestMs = Math.max(...sources.map((file) => statSync(file).mtimeMs))
  if (existsSync(jar) && statSync(jar).mtimeMs > newestMs) return
  console.log('building bench/java/parallel with Maven (once) ...')
  await run('mvn', ['-q', '-B', '-f', join(project, 'pom.xml'), 'package'], 600_000)
}

/** What the program is built from, by name: as the project's pom.xml has it. */
export function javaVersions(): Readonly<Record<string, string>> {
  const pom = readFileSync(join(project, 'pom.xml'), 'utf8')
  const dependency = /<artifactId>(parallel-consumer-core|kafka-clients)<\/artifactId>\s*<version>([^<]+)</g
  return Object.fromEntries([...pom.matchAll(dependency)].map(([, name, version]) => [name!, version!]))
}

/** One measurement of Parallel Consumer, in a JVM of its own. */
export async function runJava(job: ParallelJob, timeoutMs: number): Promise<ParallelMeasured> {
  const { bootstrap, topic, group, order, concurrency, records } = job
  const classPath = [jar, join(project, 'target', 'lib', '*')].join(delimiter)
  const args = [bootstrap, topic, group, order, String(concurrency), String(records)]
  const jvm = ['-Xms1g', '-Xmx1g', '-cp', classPath, 'sluice.bench.Parallel']
  return JSON.parse(await run('java', [...jvm, ...args], timeoutMs)) as ParallelMeasured
}

async function run(command: string, args: readonly string[], timeoutMs: number): Promise<string> {
  try {
    const { stdout } = await exec(command, args, { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 2 ** 24 })
    return stdout
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: string | number; stdout?: string; stderr?: string }
    if (code === 'ENOENT') throw new Error(missing(command), { cause: error })
    const said = `${stdout}${stderr}`.trim().split('\n').slice(-15).join('\n')
    throw new Error(`${command} failed (${code ?? `after ${timeoutMs} ms`}):\n${said}`, { cause: error })
  }
}

function missing(command: string): string {
  return command === 'mvn'
    ? 'Maven is needed once, to fetch and build Parallel Consumer: install it (Debian, Ubuntu: `apt install maven`)'
    : 'Java 17 or newer is needed to run Parallel Consumer: install it (Debian, Ubuntu: `apt install default-jdk`)'
}
