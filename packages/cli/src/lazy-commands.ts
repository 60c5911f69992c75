import type { Command } from 'commander'
import type { CommandContext, CommandEntry } from './command.ts'

/** Commands whose code is loaded when they are used: the list of all of them needs only their names. */
export class LazyCommands {
  readonly #context: CommandContext
  readonly #notLoaded = new Map<Command, CommandEntry>()

  constructor(context: CommandContext) {
    this.#context = context
  }

  add(program: Command, entry: CommandEntry): void {
    const command = program.command(entry.name).description(entry.description)
    this.#notLoaded.set(command, entry)
  }

  /** Nothing for a command that is loaded already, and for a subcommand, which came with its parent. */
  async load(command: Command): Promise<void> {
    const entry = this.#notLoaded.get(command)
    if (entry === undefined) return
    this.#notLoaded.delete(command)
    const configure = await entry.load()
    configure(command, this.#context)
  }

  async loadAll(): Promise<void> {
    for (const command of this.#notLoaded.keys()) await this.load(command)
  }
}
