import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'

/** All that the list of processes shows while it watches: what any user sees of them, and the environments of servers. */
export class ProcessesSeen {
  readonly #commands = new Set<string>()
  readonly #environments = new Map<string, string>()
  readonly #timer: NodeJS.Timeout

  /** @param dataDir what runs in it is a server */
  constructor(dataDir: string) {
    this.#timer = setInterval(() => this.#look(dataDir), 10)
  }

  get commands(): string[] {
    return [...this.#commands]
  }

  /** The names of the programs whose environment was seen. */
  get servers(): Set<string> {
    return new Set(this.#environments.keys())
  }

  get serverEnvironments(): string[] {
    return [...this.#environments.values()]
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(dataDir: string): void {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
        if (command.includes(dataDir)) this.#commands.add(command)
        const program = basename(readlinkSync(`/proc/${pid}/exe`))
        const isServer = /^(java|postgres|redis-server)$/.test(program)
        if (!isServer || !readlinkSync(`/proc/${pid}/cwd`).startsWith(dataDir)) continue
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
        // Redis writes over its own.
        if (environment !== '') this.#environments.set(program, (this.#environments.get(program) ?? '') + environment)
      } catch {
        // It has ended, or is of somebody else.
      }
    }
  }
}
