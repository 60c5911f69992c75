import type { ConfigureCommand } from '../../command.ts'
import { registerList } from './list.ts'
import { registerPurge } from './purge.ts'
import { registerReplay } from './replay.ts'
import { registerShow } from './show.ts'

export const configureDlq: ConfigureCommand = (dlq, context) => {
  for (const register of [registerList, registerShow, registerReplay, registerPurge]) register(dlq, context)
}
