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

/** Adds one command to the program. Each stands in its own file under commands/. */
export type RegisterCommand = (program: Command, context: CommandContext) => void
