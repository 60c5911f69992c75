import type { RegisterCommand } from '../../command.ts'
import { registerAlter } from './alter.ts'
import { registerCreate } from './create.ts'
import { registerDelete } from './delete.ts'
import { registerDescribe } from './describe.ts'
import { registerList } from './list.ts'
import { registerWatch } from './watch.ts'

export const registerTopics: RegisterCommand = (program, context) => {
  const topics = program.command('topics').description('List, describe, create, alter, delete and watch topics')
  for (const register of [
    registerList,
    registerDescribe,
    registerCreate,
    registerAlter,
    registerDelete,
    registerWatch,
  ]) {
    register(topics, context)
  }
}
