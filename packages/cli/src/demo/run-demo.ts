import { projectDataDir, startStack, type Supervisor } from '@sluice/stack'
import type { CommandContext } from '../command.ts'
import { printAddresses } from '../commands/status.ts'
import { ExitCode } from '../exit-codes.ts'
import { Demo } from './demo.ts'
import { SERVICES } from './processes.ts'
import { Screen } from './screen.ts'
import { StopRequest } from './stop-request.ts'

/** The command line of `sluice demo`. */
export interface DemoFlags {
  /** Orders a second. */
  readonly rate?: number
  /** Milliseconds. */
  readonly for?: number
  readonly brokers: number
  readonly seed?: number
}

/** Starts the servers, runs the pipeline until it is to end, and stops everything, services first. */
export async function runDemo(context: CommandContext, flags: DemoFlags): Promise<void> {
  const { terminal, env } = context
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
  const starting = startStack({ kafka: { brokers: flags.brokers }, postgres: true, redis: true, dataDir, onProgress })
  const interrupted = new Promise<undefined>((resolve) =>
    stop.signal.addEventListener('abort', () => resolve(undefined), { once: true }),
  )
  if (!(await Promise.race([starting, interrupted]))) process.exit(ExitCode.interrupted)
  await using stack = await starting
  supervisor = stack.supervisor
  terminal.endProgress()
  printAddresses(stack.inspect(), terminal)
  const options = { rate: flags.rate, seed: flags.seed, forMs: flags.for, brokers: flags.brokers }
  const complete = await new Demo({ stack, screen, stop, env }, options).run()
  if (stop.reason === 'SIGINT') context.exitWith(ExitCode.interrupted)
  else if (!complete) context.exitWith(ExitCode.failed)
  terminal.progress('stopping the servers; the data is kept')
}
