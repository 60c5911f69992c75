import type { RegisterCommand } from '../../command.ts'
import { registerList } from './list.ts'
import { registerPurge } from './purge.ts'
import { registerReplay } from './replay.ts'
import { registerShow } from './show.ts'

export const registerDlq: RegisterCommand = (program, context) => {
  const dlq = program.command('dlq').description('List, show, replay and purge dead letters')
  for (const register of [registerList, registerShow, registerReplay, registerPurge]) register(dlq, context)
}
