import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessEvent } from '../process/process-spec.ts'
import { type ProcessIdentity, identify, isAlive, signalProcess } from '../machine/identity.ts'
import type { DataFolder } from './data-folder.ts'
import { readJson, writeJson } from './json-file.ts'

interface RunRecord extends ProcessIdentity {
  readonly dataDir: string
}

/** What runs in a data folder, so that whoever follows a supervisor that was killed can end what it left. */
export class RunRecords {
  readonly #dir: string
  readonly #dataDir: string
  readonly #folder: DataFolder

  constructor(folder: DataFolder) {
    this.#dir = folder.file('run')
    this.#dataDir = folder.path
    this.#folder = folder
    mkdirSync(this.#dir, { recursive: true })
  }

  /** Keeps the records in step with a supervisor. */
  note(event: ProcessEvent): void {
    if (!this.#folder.isHeld) return
    const path = join(this.#dir, `${'name' in event ? event.name : ''}.json`)
    if (event.type === 'started') {
      const identity = identify(event.pid)
      if (identity) writeJson(path, { ...identity, dataDir: this.#dataDir } satisfies RunRecord)
    } else if (event.type === 'exited') rmSync(path, { force: true })
  }

  /**
   * Ends what an earlier supervisor has left in this folder. Its guards are stopping it already; what is not gone after
   * `graceMs` is killed. A record counts only if the start time of the process and the folder are the same.
   */
  async endLeftovers(graceMs: number, onProgress: (message: string) => void): Promise<void> {
    const left = this.#leftovers()
    if (left.length === 0) return
    onProgress(`ending ${left.length === 1 ? 'a process' : `${left.length} processes`} of an earlier start`)
    for (const identity of left) signalProcess(identity, 'SIGTERM')
    const deadlineMs = performance.now() + graceMs
    while (left.some(isAlive) && performance.now() < deadlineMs) await sleep(50)
    for (const identity of left) signalProcess(identity, 'SIGKILL')
    while (left.some(isAlive)) await sleep(10)
    rmSync(this.#dir, { recursive: true, force: true })
    mkdirSync(this.#dir)
  }

  #leftovers(): ProcessIdentity[] {
    return readdirSync(this.#dir)
      .filter((name) => name.endsWith('.json'))
      .map((name) => readJson<RunRecord>(join(this.#dir, name)))
      .filter((record) => record !== undefined)
      .filter((record) => record.dataDir === this.#dataDir && isAlive(record))
  }
}
