import type { Command } from 'commander'
import { UsageError } from './cli-error.ts'
import type { LazyCommands } from './lazy-commands.ts'
import { nearest } from './nearest.ts'

/** Adds `help [command...]`: of a command, or of a subcommand. */
export function addHelpCommand(program: Command, commands: LazyCommands): void {
  program.helpCommand(false)
  program
    .command('help')
    .description('Show the help of a command, such as `help topics create`')
    .argument('[command...]')
    .action(async (names: readonly string[]) => {
      let command = program
      for (const name of names) {
        command = childOf(command, name)
        await commands.load(command)
      }
      command.help()
    })
}

function childOf(command: Command, name: string): Command {
  const found = command.commands.find((one) => one.name() === name)
  if (found !== undefined) return found
  const known = command.commands.map((one) => one.name()).filter((one) => one !== 'help')
  const meant = nearest(name, known)
  const remedy = known.length === 0 ? `${command.name()} has no subcommands` : `choose one of ${known.join(', ')}`
  throw new UsageError(`unknown command '${name}'`, meant === undefined ? remedy : `did you mean ${meant}? ${remedy}`)
}
