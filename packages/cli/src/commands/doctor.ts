import { checkMachine, type MachineCheck, projectDataDir } from '@sluice/stack'
import type { ConfigureCommand } from '../command.ts'
import { ExitCode } from '../exit-codes.ts'
import { alignColumns } from '../output/table.ts'

const marks = { ok: 'ok', note: 'note', missing: 'MISSING' } as const

export const configureDoctor: ConfigureCommand = (command, { terminal, env, exitWith }) => {
  command.option('--json', 'for programs').action(async ({ json = false }: { json?: boolean }) => {
    const checks = await checkMachine(projectDataDir(process.cwd(), env))
    if (json) terminal.json(checks)
    else terminal.lines(alignColumns(checks.map(rowOf)))
    if (checks.some(({ verdict }) => verdict === 'missing')) exitWith(ExitCode.failed)
  })
}

function rowOf({ name, verdict, detail, remedy }: MachineCheck): readonly string[] {
  return [marks[verdict], name, remedy === undefined ? detail : `${detail} - ${remedy}`]
}
