import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { commandGroups } from './commands/index.ts'
import type { CommandContext } from './command.ts'
import { describeError } from './describe-error.ts'
import { ExitCode } from './exit-codes.ts'
import { addHelpCommand } from './help.ts'
import { LazyCommands } from './lazy-commands.ts'
import { Terminal } from './terminal.ts'
import { isUsageError, usageErrorOf } from './usage.ts'

/** What the scripts of `sluice completion` call. */
const completionCommand = '__complete'

const exitCodesHelp = `
Exit codes: ${ExitCode.ok} done, ${ExitCode.failed} failed, ${ExitCode.usage} wrong usage, ${ExitCode.beyondThreshold} threshold exceeded, ${ExitCode.incomplete} shown without what could not be found out, ${ExitCode.interrupted} interrupted.
Data is kept in .sluice of the project; SLUICE_DATA_DIR moves it.
Which Kafka: --bootstrap, else KAFKA_BOOTSTRAP_SERVERS, else what \`sluice up\` has started.

Examples:
  sluice up                                          start Kafka, PostgreSQL and Redis
  sluice topics create orders -p 3                   a topic with three partitions
  echo user-1:hello | sluice produce orders -s :     a record with a key
  sluice tail orders -f                              the newest records, then new ones
  sluice lag --watch                                 how far groups are behind`

/** Runs one command line and resolves with its exit code. It never rejects: an error is one line on the standard error. */
export async function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  terminal: Terminal = new Terminal(),
): Promise<ExitCode> {
  let exitCode: ExitCode = ExitCode.ok
  const context: CommandContext = { terminal, env, exitWith: (code) => (exitCode = code) }
  const { program, commands } = createProgram(context)
  try {
    // Words of a line that is being typed, and not a command line yet.
    if (args[0] === completionCommand) {
      const { answerShell } = await import('./completion/answer.ts')
      await answerShell(context, { program, commands }, args.slice(1))
      return ExitCode.ok
    }
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    return tellError(error, { program, args, terminal })
  }
  return exitCode
}

interface Invocation {
  readonly program: Command
  readonly args: readonly string[]
  readonly terminal: Terminal
}

function tellError(error: unknown, { program, args, terminal }: Invocation): ExitCode {
  if (error instanceof CommanderError && error.exitCode === 0) return ExitCode.ok
  // The help stands there already, in the place of a message.
  if (error instanceof CommanderError && error.code.startsWith('commander.help')) return ExitCode.usage
  const told = error instanceof CommanderError ? usageErrorOf(error, program, args) : error
  terminal.note(`sluice: ${describeError(told)}`)
  return isUsageError(told) ? ExitCode.usage : ExitCode.failed
}

/** All commands, with nothing run yet, and none of them loaded. */
export function createProgram(context: CommandContext): { readonly program: Command; readonly commands: LazyCommands } {
  const { terminal } = context
  const program = new Command('sluice')
    .description('Run, watch and steer a flow-controlled Kafka platform')
    .version(ownVersion(), '-V, --version', 'show the version')
    .addHelpText('after', exitCodesHelp)
    .configureOutput({
      writeOut: (text) => terminal.raw(text),
      writeErr: (text) => terminal.note(text.trimEnd()),
      // `run` writes it, as every other error.
      outputError: () => undefined,
    })
    .exitOverride()
  const commands = new LazyCommands(context)
  for (const group of commandGroups) {
    program.commandsGroup(group.title)
    for (const entry of group.commands) commands.add(program, entry)
  }
  addHelpCommand(program, commands)
  program.hook('preSubcommand', (_, command) => commands.load(command))
  return { program, commands }
}

function ownVersion(): string {
  const manifest = readFileSync(new URL('../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
