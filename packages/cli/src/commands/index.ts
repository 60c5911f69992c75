import type { RegisterCommand } from '../command.ts'
import { registerDemo } from './demo.ts'
import { registerDoctor } from './doctor.ts'
import { registerDown } from './down.ts'
import { registerDlq } from './dlq/index.ts'
import { registerGroups } from './groups/index.ts'
import { registerLag } from './lag.ts'
import { registerLogs } from './logs.ts'
import { registerProduce } from './produce.ts'
import { registerTail } from './tail.ts'
import { registerStatus } from './status.ts'
import { registerTopics } from './topics/index.ts'
import { registerUp } from './up.ts'

/** All commands, in the order in which the help lists them. */
export const commandGroups: readonly { readonly title: string; readonly commands: readonly RegisterCommand[] }[] = [
  {
    title: 'Servers on this machine:',
    commands: [registerUp, registerDown, registerStatus, registerLogs, registerDoctor, registerDemo],
  },
  {
    title: 'Kafka, here or anywhere:',
    commands: [registerTopics, registerGroups, registerLag, registerTail, registerProduce, registerDlq],
  },
]
