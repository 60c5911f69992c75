import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { StackError } from '../errors.ts'
import { GuardedProcess } from '../process/guarded-process.ts'
import { LogFile } from '../machine/log-file.ts'
import { findCommand } from './commands.ts'

/** An artefact of Maven's repositories. */
export interface Artefact {
  readonly group: string
  readonly name: string
  readonly version: string
}

export interface MavenRun {
  /** What is fetched, for people. */
  readonly what: string
  /** Where Maven's own files may go; it is removed by the caller. */
  readonly workDir: string
  readonly onProgress: (message: string) => void
}

const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1'
const silenceLimitMs = 180_000
const installHint = 'install Maven (Debian, Ubuntu: `apt install maven`; macOS: `brew install maven`)'

/** The project file that names the artefacts; what it resolves to is decided by it alone. */
export function pomOf(artefacts: readonly Artefact[]): string {
  const dependencies = artefacts.map(
    ({ group, name, version }) =>
      `    <dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`,
  )
  return [
    '<project xmlns="http://maven.apache.org/POM/4.0.0">',
    '  <modelVersion>4.0.0</modelVersion>',
    '  <groupId>local</groupId><artifactId>sluice-stack</artifactId><version>1</version><packaging>pom</packaging>',
    '  <dependencies>',
    ...dependencies,
    '  </dependencies>',
    '</project>',
    '',
  ].join('\n')
}

/** Fetches the artefacts and all that they need at run time into `target`. */
export async function copyDependencies(artefacts: readonly Artefact[], target: string, run: MavenRun): Promise<void> {
  await runMaven(artefacts, run, [
    `${plugin}:copy-dependencies`,
    '-DincludeScope=runtime',
    `-DoutputDirectory=${target}`,
  ])
}

/** Fetches the artefacts and unpacks those of their files that match a pattern such as `redis-server-*`. */
export async function unpackDependencies(
  artefacts: readonly Artefact[],
  pattern: string,
  target: string,
  run: MavenRun,
): Promise<void> {
  await runMaven(artefacts, run, [
    `${plugin}:unpack-dependencies`,
    '-DexcludeTransitive=true',
    `-Dmdep.unpack.includes=${pattern}`,
    `-DoutputDirectory=${target}`,
  ])
}

async function runMaven(artefacts: readonly Artefact[], run: MavenRun, goal: readonly string[]): Promise<void> {
  const command = findCommand('mvn')
  if (!command) throw new StackError('maven_missing', `Maven is needed once, to fetch ${run.what}`, installHint)
  const pom = join(run.workDir, 'pom.xml')
  writeFileSync(pom, pomOf(artefacts))
  const log = new LogFile(join(run.workDir, 'maven.log'))
  const logFd = openSync(log.path, 'a')
  run.onProgress(`fetching ${run.what} with Maven`)
  try {
    const maven = await GuardedProcess.spawn({
      name: 'maven',
      command,
      // Strict: a file whose checksum is wrong fails the run instead of being taken with a warning.
      args: ['-B', '-C', '-f', pom, ...goal],
      cwd: run.workDir,
      env: process.env,
      logFd,
      stopSignal: 'SIGTERM',
      graceMs: 2_000,
      ipc: false,
      account: undefined,
    })
    const exit = await watch(maven, log, run)
    if (exit.code !== 0) throw mavenError(run.what, readFileSync(log.path, 'utf8'))
  } finally {
    closeSync(logFd)
  }
}

/** Tells how far it is, and ends a Maven that has said nothing for long. */
async function watch(maven: GuardedProcess, log: LogFile, run: MavenRun) {
  let size = 0
  let heardMs = performance.now()
  for (;;) {
    const over = new AbortController()
    const exit = await Promise.race([
      maven.exited,
      sleep(500, undefined, { signal: over.signal }).catch(() => undefined),
    ])
    over.abort()
    if (exit) return exit
    if (log.size() !== size) {
      size = log.size()
      heardMs = performance.now()
      const progress = progressOf(readFileSync(log.path, 'utf8'))
      if (progress) run.onProgress(`fetching ${run.what} with Maven: ${progress}`)
    } else if (performance.now() - heardMs > silenceLimitMs) maven.kill('SIGKILL')
  }
}

/** Files and megabytes so far, from Maven's own lines; undefined before the first. */
export function progressOf(output: string): string | undefined {
  let files = 0
  let megabytes = 0
  for (const [, amount, unit] of output.matchAll(/^(?:\[INFO\] )?Downloaded from .*\((\d[\d.]*) (B|kB|MB) at /gm)) {
    files++
    megabytes += Number(amount) * (unit === 'MB' ? 1 : unit === 'kB' ? 1e-3 : 1e-6)
  }
  return files === 0 ? undefined : `${files} files, ${megabytes.toFixed(1)} MB`
}

/** One error that says what to do, from what Maven wrote. */
export function mavenError(what: string, output: string): StackError {
  const facts = { output: output.trimEnd().split('\n').slice(-15).join('\n') }
  if (/No space left on device/i.test(output)) {
    const remedy = 'free some space on the disk of the Maven repository (~/.m2) and of the cache (XDG_CACHE_HOME)'
    return new StackError('disk_full', `no space is left on the disk to fetch ${what}`, remedy, { facts })
  }
  const firstError = /^\[ERROR\] (.*)$/m.exec(output)?.[1]?.slice(0, 300) ?? 'it ended without a word'
  return new StackError(
    'download_failed',
    `Maven could not fetch ${what}: ${firstError}`,
    'check the network, the proxy, and the mirrors in ~/.m2/settings.xml, then try again; what was fetched is kept',
    { retriable: true, facts },
  )
}
