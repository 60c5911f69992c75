import { Command, CommanderError } from 'commander'
import { UsageError } from './cli-error.ts'
import { commands } from './commands/index.ts'
import { describeError } from './describe-error.ts'
import { ExitCode } from './exit-codes.ts'
import { Terminal } from './terminal.ts'

const exitCodesHelp = `
Exit codes: ${ExitCode.ok} done, ${ExitCode.failed} failed, ${ExitCode.usage} wrong usage, ${ExitCode.beyondThreshold} beyond a threshold that was asked about, ${ExitCode.interrupted} interrupted.
Data is kept in .sluice of the project; SLUICE_DATA_DIR moves it.`

/** Runs one command line and resolves with its exit code. It never rejects: an error is one line on the standard error. */
export async function run(
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  terminal: Terminal = new Terminal(),
): Promise<ExitCode> {
  let exitCode: ExitCode = ExitCode.ok
  const program = new Command('sluice')
    .description('Run, watch and steer a flow-controlled Kafka platform')
    .addHelpText('after', exitCodesHelp)
    .showHelpAfterError('(sluice --help shows what there is)')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: (text) => terminal.raw(text), writeErr: (text) => terminal.note(text.trimEnd()) })
    .exitOverride()
  for (const register of commands) register(program, { terminal, env, exitWith: (code) => (exitCode = code) })
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage
    terminal.note(`sluice: ${describeError(error)}`)
    return error instanceof UsageError ? ExitCode.usage : ExitCode.failed
  }
  return exitCode
}
