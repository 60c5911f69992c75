import { createHash, randomUUID } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { copyFrom } from '../machine/safe-file.ts'
import type { Account } from '../machine/account.ts'
import { cacheFolder } from '../host/cache-folder.ts'
import type { Java } from '../host/java.ts'
import { isOurs } from '../machine/trusted-path.ts'

/**
 * Java's application class data sharing (JEP 350): an archive of the loaded classes, written when a broker exits, makes
 * each later start about three seconds shorter. It fits one build of Java, one class path and one set of options.
 */
export class ClassArchive {
  readonly #path: string

  constructor(java: Java, jars: readonly string[], jvmOptions: readonly string[]) {
    const identity = JSON.stringify([java.command, java.version, jars, jvmOptions])
    this.#path = join(cacheFolder(), `classes-${createHash('sha256').update(identity).digest('hex').slice(0, 12)}.jsa`)
  }

  /** Whether there is one that only we (or root) can have written: a JVM runs what is in it. */
  get exists(): boolean {
    const stats = lstatSync(this.#path, { throwIfNoEntry: false })
    return stats !== undefined && stats.isFile() && isOurs(stats) && (stats.mode & 0o022) === 0
  }

  /** The options with which a broker uses the archive or, where there is none yet, writes one to `draft` at its exit. */
  options(draft: string | undefined): string[] {
    if (this.exists)
      return [`-XX:SharedArchiveFile=${this.#path}`, '-Xshare:auto', '-Xlog:cds=off', '-Xlog:cds+dynamic=off']
    return draft === undefined ? [] : [`-XX:ArchiveClassesAtExit=${draft}`, '-Xlog:cds=off', '-Xlog:cds+dynamic=off']
  }

  /** Takes what a broker has written as `account` into the cache, in one step. */
  adopt(draft: string, account: Account | undefined): void {
    if (this.exists || !existsSync(draft)) return
    const copy = `${this.#path}.${randomUUID()}`
    try {
      mkdirSync(cacheFolder(), { recursive: true })
      copyFrom(account, draft, copy)
      renameSync(copy, this.#path)
    } catch {
      // It only saves time: a full disk must not make a stop fail, nor must a file that the broker did not write.
      rmSync(copy, { force: true })
    }
    rmSync(draft, { force: true })
  }
}
