import type { ConfigureCommand } from '../../command.ts'
import { registerAbort } from './abort.ts'
import { registerDescribe } from './describe.ts'
import { registerList } from './list.ts'

export const configureTransactions: ConfigureCommand = (transactions, context) => {
  for (const register of [registerList, registerDescribe, registerAbort]) register(transactions, context)
}
