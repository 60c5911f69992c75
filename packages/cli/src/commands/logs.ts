import { listLogs, openLog, projectDataDir } from '@sluice/stack'
import { setTimeout as sleep } from 'node:timers/promises'
import { wholeNumber } from '../arguments.ts'
import type { ConfigureCommand } from '../command.ts'
import { printable, printableLines } from '../output/printable.ts'
import type { Terminal } from '../terminal.ts'

const pollMs = 200

interface LogsOptions {
  readonly follow?: boolean
  readonly lines: number
}

export const configureLogs: ConfigureCommand = (command, { terminal, env }) => {
  command
    .argument('[name]', 'such as kafka-1, postgres, redis, supervisor')
    .option('-f, --follow', 'keep showing what it writes until Ctrl-C')
    .option('-n, --lines <count>', 'how many lines to begin with', wholeNumber(0, 999_999), 100)
    .action(async (name: string | undefined, options: LogsOptions) => {
      const dataDir = projectDataDir(process.cwd(), env)
      if (name === undefined) for (const known of listLogs(dataDir)) terminal.line(printable(known))
      else await showLog(dataDir, name, options, terminal)
    })
}

async function showLog(dataDir: string, name: string, options: LogsOptions, terminal: Terminal): Promise<void> {
  const log = openLog(dataDir, name)
  let offset = log.size()
  const tail = options.lines === 0 ? '' : log.tail(options.lines)
  if (tail !== '') terminal.line(printableLines(tail))
  using _reader = options.follow ? terminal.endWithReader() : undefined
  while (options.follow) {
    await sleep(pollMs)
    const size = log.size()
    // A smaller file was emptied: read it from its start.
    if (size < offset) offset = 0
    if (size > offset) terminal.raw(printableLines(log.readFrom(offset, size - offset)))
    offset = size
  }
}
