import type { Command, CommanderError } from 'commander'
import { UsageError } from './cli-error.ts'

/** Refusals of a broker that only another command line can change: nothing was done. */
const wrongInput: ReadonlySet<unknown> = new Set(['INVALID_TOPIC_EXCEPTION', 'INVALID_PARTITIONS', 'INVALID_CONFIG'])

/** Whether the command line, or a setting of the environment, is wrong: nothing was done. */
export function isUsageError(error: unknown): boolean {
  if (error instanceof UsageError) return true
  const { code, apiError } = (error ?? {}) as { code?: unknown; apiError?: unknown }
  return code === 'config_invalid' || wrongInput.has(apiError)
}

/** An error of the parser in the words and the form of all other errors. */
export function usageErrorOf({ message }: CommanderError, program: Command, args: readonly string[]): UsageError {
  const [text = '', suggestion] = message.replace(/^error: /, '').split(/\n\((Did .*)\)$/s)
  const cause = text.replace(/ is invalid( for argument '[^']*')?\. /, ' is invalid$1: ').replace(/\.$/, '')
  const help = `\`${pathOf(program, args)} --help\` shows what there is`
  return new UsageError(cause, suggestion === undefined ? help : `${suggestion.replace('Did', 'did')} ${help}`)
}

/** The command that the arguments name, as far as they name one: `sluice topics create`. */
function pathOf(program: Command, args: readonly string[]): string {
  let command = program
  const path = [program.name()]
  for (const name of args) {
    const next = command.commands.find((one) => one.name() === name)
    if (next === undefined) continue
    command = next
    path.push(name)
    if (next.commands.length === 0) break
  }
  return path.join(' ')
}
