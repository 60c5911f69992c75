import type { RegisterCommand } from '../../command.ts'
import { registerDelete } from './delete.ts'
import { registerDescribe } from './describe.ts'
import { registerList } from './list.ts'
import { registerReset } from './reset.ts'
import { registerWatch } from './watch.ts'

export const registerGroups: RegisterCommand = (program, context) => {
  const groups = program.command('groups').description('List, describe, reset, delete and watch consumer groups')
  for (const register of [registerList, registerDescribe, registerReset, registerDelete, registerWatch]) {
    register(groups, context)
  }
}
