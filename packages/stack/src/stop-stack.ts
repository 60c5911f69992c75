import { setTimeout as sleep } from 'node:timers/promises'
import { DataFolder } from './folder/data-folder.ts'
import { FolderLock } from './folder/folder-lock.ts'
import { isStackFolder, refuseForeignFolder, refuseUntrustedFolder } from './folder/own-folder.ts'
import { RunRecords } from './folder/run-records.ts'
import { isAlive, signalProcess } from './machine/identity.ts'

/** What `stopStack` takes. */
export interface StopOptions {
  /** Removes the data afterwards. Default false. */
  readonly clean?: boolean
  /** How long the supervisor may take before it is killed. From 0. Default 120,000 ms. */
  readonly timeoutMs?: number
  /** Called with what is being done, a line each, while servers stop. */
  readonly onProgress?: (message: string) => void
}

/**
 * Stops what runs in a data folder: the supervisor that holds it, with its applications and servers, then whatever an
 * earlier one has left. Resolves with whether there was a supervisor. A folder that no stack has made is not touched.
 */
export async function stopStack(dataDir: string, options: StopOptions = {}): Promise<boolean> {
  const { onProgress = () => {} } = options
  // Its lock says which process is to be ended.
  refuseUntrustedFolder(dataDir)
  const wasRunning = await endSupervisor(dataDir, options.timeoutMs ?? 120_000, onProgress)
  if (options.clean) refuseForeignFolder(dataDir)
  if (!isStackFolder(dataDir)) return wasRunning
  const folder = DataFolder.open(dataDir)
  try {
    await new RunRecords(folder).endLeftovers(30_000, onProgress)
    if (options.clean) folder.clean()
  } finally {
    folder.close()
  }
  return wasRunning
}

async function endSupervisor(
  dataDir: string,
  timeoutMs: number,
  onProgress: (message: string) => void,
): Promise<boolean> {
  const holder = FolderLock.holder(dataDir)
  if (!holder) return false
  onProgress('stopping the applications, then the servers')
  signalProcess(holder, 'SIGTERM')
  const deadlineMs = performance.now() + timeoutMs
  // Whoever uses the folder as a library may release it and live on.
  while (isAlive(holder) && FolderLock.holder(dataDir)?.pid === holder.pid) {
    if (performance.now() > deadlineMs) {
      onProgress(`process ${holder.pid} does not stop: killing it`)
      signalProcess(holder, 'SIGKILL')
    }
    await sleep(50)
  }
  return true
}
