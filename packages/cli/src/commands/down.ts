import { projectDataDir, stopStack } from '@sluice/stack'
import type { ConfigureCommand } from '../command.ts'

export const configureDown: ConfigureCommand = (command, { terminal, env }) => {
  command.option('--clean', 'remove the data as well').action(async ({ clean = false }: { clean?: boolean }) => {
    const dataDir = projectDataDir(process.cwd(), env)
    const wasRunning = await stopStack(dataDir, { clean, onProgress: (message) => terminal.progress(message) })
    terminal.line(`${wasRunning ? 'stopped' : 'nothing ran'}${clean ? `; the data in ${dataDir} is removed` : ''}`)
  })
}
