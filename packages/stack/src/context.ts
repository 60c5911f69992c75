import type { DataFolder } from './folder/data-folder.ts'
import type { Ports } from './host/ports.ts'
import type { Supervisor } from './process/supervisor.ts'

/** What every server of one stack is started with. */
export interface StackContext {
  readonly folder: DataFolder
  readonly supervisor: Supervisor
  readonly ports: Ports
  /** Whether a server that crashes is started again by itself. */
  readonly keepRunning: boolean
  readonly onProgress: (message: string) => void
}
