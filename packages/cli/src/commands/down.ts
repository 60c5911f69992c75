import { projectDataDir, stopStack } from '@sluice/stack'
import type { RegisterCommand } from '../command.ts'

export const registerDown: RegisterCommand = (program, { terminal, env }) => {
  program
    .command('down')
    .description('Stop what runs: applications first, servers last; the data is kept')
    .option('--clean', 'remove the data as well')
    .action(async ({ clean = false }: { clean?: boolean }) => {
      const dataDir = projectDataDir(process.cwd(), env)
      const wasRunning = await stopStack(dataDir, { clean, onProgress: (message) => terminal.progress(message) })
      terminal.line(`${wasRunning ? 'stopped' : 'nothing ran'}${clean ? `; the data in ${dataDir} is removed` : ''}`)
    })
}
