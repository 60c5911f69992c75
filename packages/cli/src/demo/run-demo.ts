import { projectDataDir, type Stack, StackError, startStack, type StackOptions, type Supervisor } from '@sluice/stack'
import type { CommandContext } from '../command.ts'
import { printAddresses } from '../output/addresses.ts'
import { ExitCode } from '../exit-codes.ts'
import { Demo } from './demo.ts'
import { requirePlainServers } from './plain-servers.ts'
import { SERVICES } from './processes.ts'
import { Screen } from './screen.ts'
import { StopRequest } from './stop-request.ts'

/** The command line of `sluice demo`. */
export interface DemoFlags {
  /** Orders a second. */
  readonly rate?: number
  /** Milliseconds. */
  readonly for?: number
  /** Undefined: as many as the data folder has, else 1. */
  readonly brokers?: number
  readonly seed?: number
}

/** Starts the servers, runs the pipeline until it is to end, and stops everything, services first. */
export async function runDemo(context: CommandContext, flags: DemoFlags): Promise<void> {
  const { terminal, env } = context
  requirePlainServers(env)
  const screen = new Screen(process.stdout)
  let supervisor: Supervisor | undefined
  using stop = new StopRequest(() => {
    screen[Symbol.dispose]()
    for (const name of SERVICES) supervisor?.get(name)?.kill('SIGKILL')
    // The servers are ended in order by their guards once we are gone.
    process.exit(ExitCode.interrupted)
  })
  const onProgress = (message: string): void => terminal.progress(message)
  const dataDir = projectDataDir(process.cwd(), env)
  const kafka = flags.brokers === undefined ? true : { brokers: flags.brokers }
  const starting = startServers({ kafka, postgres: true, redis: true, dataDir, onProgress })
  const interrupted = new Promise<undefined>((resolve) =>
    stop.signal.addEventListener('abort', () => resolve(undefined), { once: true }),
  )
  if (!(await Promise.race([starting, interrupted]))) process.exit(ExitCode.interrupted)
  await using stack = await starting
  supervisor = stack.supervisor
  terminal.endProgress()
  printAddresses(stack.inspect(), terminal)
  const options = {
    rate: flags.rate,
    seed: flags.seed,
    forMs: flags.for,
    brokers: flags.brokers ?? Math.max(1, stack.kafka.brokers.length),
  }
  const complete = await new Demo({ stack, screen, stop, env }, options).run()
  if (stop.reason === 'SIGINT') context.exitWith(ExitCode.interrupted)
  else if (!complete) context.exitWith(ExitCode.failed)
  terminal.progress('stopping the servers; the data is kept')
}

async function startServers(options: StackOptions): Promise<Stack> {
  try {
    return await startStack(options)
  } catch (error) {
    if (!(error instanceof StackError) || error.code !== 'already_running') throw error
    throw new StackError(
      'already_running',
      `servers run in ${options.dataDir} already, and the demo runs its own`,
      'end them first (`sluice down`; their data is kept), or give the demo another folder (SLUICE_DATA_DIR)',
      { cause: error, facts: { dataDir: options.dataDir } },
    )
  }
}
