import { setTimeout as sleep } from 'node:timers/promises'
import { type Stack, StackError, type StackStatus, projectDataDir, readStatus, startStack } from '@sluice/stack'
import { InvalidArgumentError } from 'commander'
import { failure, startBackground, tellParent } from '../background.ts'
import type { CommandContext, ConfigureCommand } from '../command.ts'
import { ExitCode } from '../exit-codes.ts'
import { untilSignal } from '../until-signal.ts'
import { printAddresses } from '../output/addresses.ts'

const transitionLimitMs = 180_000

interface UpOptions {
  readonly brokers?: number
  readonly clean?: boolean
  readonly secure?: boolean
  readonly foreground?: boolean
}

export const configureUp: ConfigureCommand = (command, context) => {
  command
    .option('--brokers <count>', 'how many Kafka brokers, 1 or 3 to 9 (default: what there is, else 1)', parseBrokers)
    .option('--secure', 'Kafka with TLS, users and permissions (kept until --clean)')
    .option('--clean', 'remove the data of earlier starts first')
    .option('--foreground', 'stay here until Ctrl-C')
    .action((options: UpOptions) =>
      options.foreground ? runForeground(context, options) : runBackground(context, options),
    )
}

async function runBackground({ terminal, env, exitWith }: CommandContext, options: UpOptions): Promise<void> {
  const dataDir = projectDataDir(process.cwd(), env)
  const onProgress = (message: string) => terminal.progress(message)
  const outcome = await startOrJoin(dataDir, options, onProgress)
  if (outcome === 'interrupted') {
    exitWith(ExitCode.interrupted)
    return
  }
  if (outcome === 'joined') terminal.line('running already')
  printAddresses(readStatus(dataDir), terminal)
  terminal.line(`data in ${dataDir}; \`sluice status\` shows the processes, \`sluice down\` ends them`)
}

/** Starts a supervisor where none runs. Where another one is quicker, it is waited for as if it had been there before. */
async function startOrJoin(
  dataDir: string,
  options: UpOptions,
  onProgress: (message: string) => void,
): Promise<'ready' | 'joined' | 'interrupted'> {
  const deadlineMs = performance.now() + transitionLimitMs
  for (;;) {
    const status = await settledStatus(dataDir, onProgress)
    if (status.state === 'running') {
      checkFits(status, options)
      return 'joined'
    }
    try {
      return await startBackground({ args: foregroundArguments(options), dataDir, onProgress })
    } catch (error) {
      const isLate = performance.now() > deadlineMs
      if (isLate || !(error instanceof StackError && error.code === 'already_running')) throw error
    }
    await sleep(200)
  }
}

/** The supervisor itself, until a signal ends it. Where `up` has started it, it tells that how it goes. */
async function runForeground({ terminal, env, exitWith }: CommandContext, options: UpOptions): Promise<void> {
  const interrupt = untilSignal(['SIGINT', 'SIGTERM', 'SIGHUP'])
  const onProgress = (message: string) => {
    terminal.progress(message)
    tellParent({ type: 'progress', message })
  }
  const starting = openStack(projectDataDir(process.cwd(), env), options, onProgress)
  if (!(await Promise.race([starting, interrupt.signal.then(() => undefined)]))) {
    // Whatever is half started is ended by its guard once we are gone.
    process.exit(ExitCode.interrupted)
  }
  await using stack = await starting
  stack.supervisor.onEvent((event) => {
    if (event.type === 'restarting') {
      terminal.note(`${event.name} exited unexpectedly; restarting in ${event.delayMs} ms (restart ${event.restarts})`)
    } else if (event.type === 'health') {
      terminal.note(`${event.name} ${event.answers ? 'answers again' : 'runs but does not answer'}`)
    }
  })
  printAddresses(stack.inspect(), terminal)
  tellParent({ type: 'ready' })
  const end = await Promise.race([interrupt.signal, stack.closed.then(() => 'lost' as const)])
  if (end === 'SIGINT') exitWith(ExitCode.interrupted)
  else if (end === 'lost') exitWith(ExitCode.failed)
  terminal.progress('stopping')
}

async function openStack(dataDir: string, options: UpOptions, onProgress: (message: string) => void): Promise<Stack> {
  try {
    return await startStack({
      kafka: {
        ...(options.brokers !== undefined && { brokers: options.brokers }),
        ...(options.secure && { secure: true }),
      },
      postgres: true,
      redis: true,
      dataDir,
      clean: options.clean ?? false,
      onProgress,
    })
  } catch (error) {
    tellParent(failure(error))
    throw error
  }
}

/** The status once nobody starts or stops in the folder any more. */
async function settledStatus(dataDir: string, onProgress: (message: string) => void): Promise<StackStatus> {
  const deadlineMs = performance.now() + transitionLimitMs
  for (;;) {
    const status = readStatus(dataDir)
    if (status.state === 'running' || status.state === 'stopped') return status
    if (performance.now() > deadlineMs) {
      throw new StackError(
        'already_running',
        `another process has been ${status.state} it for long`,
        'end it: sluice down',
      )
    }
    onProgress(`another process is ${status.state} it: waiting`)
    await sleep(200)
  }
}

/** What runs already must be what is asked for. */
function checkFits({ kafka, dataDir }: StackStatus, { brokers, clean, secure }: UpOptions): void {
  const running = kafka?.bootstrapServers.split(',').length
  if (clean) {
    throw new StackError(
      'already_running',
      `servers run in ${dataDir}`,
      'end them before their data is removed: sluice down',
    )
  }
  if (secure && kafka && !kafka.security) {
    throw new StackError(
      'already_running',
      `a Kafka without security runs in ${dataDir}`,
      'end it and remove its data first: sluice down --clean',
    )
  }
  if (brokers !== undefined && running !== undefined && brokers !== running) {
    throw new StackError(
      'already_running',
      `a cluster of ${running} broker${running === 1 ? '' : 's'} runs in ${dataDir}`,
      'end it first: sluice down',
    )
  }
}

function foregroundArguments({ brokers, clean, secure }: UpOptions): string[] {
  const args = ['up', '--foreground']
  if (brokers !== undefined) args.push('--brokers', String(brokers))
  if (clean) args.push('--clean')
  if (secure) args.push('--secure')
  return args
}

function parseBrokers(text: string): number {
  if (!/^[13-9]$/.test(text)) throw new InvalidArgumentError('expected 1, or a whole number from 3 to 9')
  return Number(text)
}
