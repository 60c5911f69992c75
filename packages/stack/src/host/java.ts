import { execFile } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { StackError } from '../errors.ts'
import { kafkaVersion } from '../kafka-version.ts'
import { findCommand } from './commands.ts'
import { dockerHint } from './docker-hint.ts'

const requiredMajor = 17
function installHint(): string {
  return (
    'install one (Debian, Ubuntu: `apt install openjdk-17-jre-headless`; macOS: `brew install openjdk@17`) ' +
    'or set JAVA_HOME to one that is installed' +
    dockerHint(`-p 127.0.0.1:9092:9092 apache/kafka:${kafkaVersion}`, 'KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092')
  )
}

export interface Java {
  readonly command: string
  readonly major: number
  /** All that `java -version` says: tells one build from another. */
  readonly version: string
}

/** The Java that runs Kafka: that of `JAVA_HOME`, else the first of the PATH. Throws `java_missing` or `java_too_old`. */
export async function findJava(env: NodeJS.ProcessEnv = process.env): Promise<Java> {
  const home = env['JAVA_HOME']
  const command = home ? join(home, 'bin', 'java') : findCommand('java', env)
  if (!command) throw new StackError('java_missing', 'Kafka needs Java 17 or newer, and none was found', installHint())
  const version = await readVersion(command, home)
  const major = majorOf(version)
  if (major === undefined || major < requiredMajor) {
    throw new StackError(
      'java_too_old',
      `Kafka needs Java ${requiredMajor} or newer, and ${command} is ${version.split('\n')[0]}`,
      installHint(),
      { facts: { command } },
    )
  }
  return { command: realpathSync(command), major, version }
}

async function readVersion(command: string, home: string | undefined): Promise<string> {
  try {
    return (await promisify(execFile)(command, ['-version'], { timeout: 30_000 })).stderr.trim()
  } catch (error) {
    const where = home ? `JAVA_HOME is ${home}, but ${command} does not run` : `${command} does not run`
    throw new StackError('java_missing', where, installHint(), { cause: error })
  }
}

/** The major version in the text of `java -version`: 17 of "17.0.15", 8 of "1.8.0_402". */
export function majorOf(version: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(version)
  return match ? Number(match[1]) : undefined
}
