import type { RegisterCommand } from '../command.ts'
import { registerDemo } from './demo.ts'
import { registerDoctor } from './doctor.ts'
import { registerDown } from './down.ts'
import { registerLogs } from './logs.ts'
import { registerStatus } from './status.ts'
import { registerUp } from './up.ts'

/** All commands, in the order in which the help lists them. */
export const commands: readonly RegisterCommand[] = [
  registerUp,
  registerDown,
  registerStatus,
  registerLogs,
  registerDemo,
  registerDoctor,
]
