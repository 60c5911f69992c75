import { checkMachine, projectDataDir } from '@sluice/stack'
import type { RegisterCommand } from '../command.ts'
import { ExitCode } from '../exit-codes.ts'

const marks = { ok: 'ok', note: 'note', missing: 'MISSING' } as const

export const registerDoctor: RegisterCommand = (program, { terminal, env, exitWith }) => {
  program
    .command('doctor')
    .description('Check what this machine has and say what to do about what it lacks')
    .option('--json', 'for programs')
    .action(async ({ json = false }: { json?: boolean }) => {
      const checks = await checkMachine(projectDataDir(process.cwd(), env))
      if (json) terminal.json(checks)
      else {
        terminal.table(
          checks.map(({ name, verdict, detail, remedy }) => [
            marks[verdict],
            name,
            remedy === undefined ? detail : `${detail} - ${remedy}`,
          ]),
        )
      }
      if (checks.some(({ verdict }) => verdict === 'missing')) exitWith(ExitCode.failed)
    })
}
