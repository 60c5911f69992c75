import { type StackStatus, kafkaEnvironment, projectDataDir, readStatus } from '@sluice/stack'
import type { CommandContext, ConfigureCommand } from '../command.ts'
import { printable } from '../output/printable.ts'
import { alignColumns } from '../output/table.ts'
import type { Terminal } from '../terminal.ts'
import { printAddresses } from '../output/addresses.ts'

interface StatusOptions {
  readonly json?: boolean
  readonly env?: boolean
}

export const configureStatus: ConfigureCommand = (command, context) => {
  command
    .option('--json', 'the whole of it, for programs: addresses with their passwords')
    .option(
      '--env',
      'shell commands that set KAFKA_*, DATABASE_URL and REDIS_URL, with passwords: eval "$(sluice status --env)"',
    )
    .action((options: StatusOptions) => showStatus(context, options))
}

function showStatus({ terminal, env }: CommandContext, { json, env: asShell }: StatusOptions): void {
  const status = readStatus(projectDataDir(process.cwd(), env))
  if (asShell) printExports(status, terminal)
  else if (json) terminal.json(status)
  else printStatus(status, terminal)
}

function printExports(status: StackStatus, terminal: Terminal): void {
  const { postgres, redis } = status
  const variables = {
    ...kafkaEnvironment(status),
    ...(postgres && { DATABASE_URL: postgres.url }),
    ...(redis && { REDIS_URL: redis.url }),
  }
  for (const [name, value] of Object.entries(variables)) {
    terminal.line(`export ${name}='${value.replaceAll("'", `'\\''`)}'`)
  }
}

function printStatus(status: StackStatus, terminal: Terminal): void {
  terminal.line(`${status.state}, data in ${status.dataDir}`)
  printAddresses(status, terminal)
  if (status.processes.length === 0) return
  terminal.line()
  terminal.lines(
    alignColumns([
      ['PROCESS', 'PID', 'STATE', 'RESTARTS', 'ADDRESS'],
      ...status.processes.map(({ name, pid, state, restarts, url, answers }) => [
        printable(name),
        pid === null ? '-' : String(pid),
        answers === false ? `${printable(state)}, does not answer` : printable(state),
        String(restarts),
        printable(url ?? '-'),
      ]),
    ]),
  )
}
