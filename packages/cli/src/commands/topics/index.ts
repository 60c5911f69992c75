import type { ConfigureCommand } from '../../command.ts'
import { registerAlter } from './alter.ts'
import { registerCreate } from './create.ts'
import { registerDelete } from './delete.ts'
import { registerDescribe } from './describe.ts'
import { registerList } from './list.ts'
import { registerTrim } from './trim.ts'
import { registerWatch } from './watch.ts'

export const configureTopics: ConfigureCommand = (topics, context) => {
  for (const register of [
    registerList,
    registerDescribe,
    registerCreate,
    registerAlter,
    registerTrim,
    registerDelete,
    registerWatch,
  ]) {
    register(topics, context)
  }
}
