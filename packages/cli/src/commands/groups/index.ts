import type { ConfigureCommand } from '../../command.ts'
import { registerDelete } from './delete.ts'
import { registerDeleteOffsets } from './delete-offsets.ts'
import { registerDescribe } from './describe.ts'
import { registerList } from './list.ts'
import { registerReset } from './reset.ts'
import { registerWatch } from './watch.ts'

export const configureGroups: ConfigureCommand = (groups, context) => {
  for (const register of [
    registerList,
    registerDescribe,
    registerReset,
    registerDeleteOffsets,
    registerDelete,
    registerWatch,
  ]) {
    register(groups, context)
  }
}
