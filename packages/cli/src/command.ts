import type { Command } from 'commander'
import type { ExitCode } from './exit-codes.ts'
import type { Terminal } from './terminal.ts'

/** What a command gets to work with. */
export interface CommandContext {
  readonly terminal: Terminal
  readonly env: NodeJS.ProcessEnv
  /** Ends the program with another code than 0 once the command is over. */
  readonly exitWith: (code: ExitCode) => void
}

/** Gives a command its arguments, options, subcommands and action. */
export type ConfigureCommand = (command: Command, context: CommandContext) => void

/** Adds a subcommand to its command. Each has its own file. */
export type RegisterCommand = (parent: Command, context: CommandContext) => void

/** A command as the list of all commands shows it. Its own code is loaded when it is used. */
export interface CommandEntry {
  readonly name: string
  readonly description: string
  readonly load: () => Promise<ConfigureCommand>
}
