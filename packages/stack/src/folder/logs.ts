import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { StackError, folderError } from '../errors.ts'
import { LogFile } from '../machine/log-file.ts'
import { claimFolder } from './own-folder.ts'

const supervisorLog = 'supervisor'

/** The names of the logs of a data folder. */
export function listLogs(dataDir: string): string[] {
  const dir = join(dataDir, 'logs')
  if (!existsSync(dir)) return []
  return readdirSync(dir)
    .filter((file) => file.endsWith('.log'))
    .map((file) => file.slice(0, -'.log'.length))
    .sort()
}

/** One of them. Throws `option_invalid` for a name that is none of theirs. */
export function openLog(dataDir: string, name: string): LogFile {
  const known = listLogs(dataDir)
  if (known.includes(name)) return new LogFile(join(dataDir, 'logs', `${name}.log`))
  const remedy = known.length === 0 ? 'nothing has run in it yet' : `choose one of ${known.join(', ')}`
  throw new StackError('option_invalid', `there is no log named ${JSON.stringify(name)} in ${dataDir}`, remedy)
}

/** The log that a supervisor in the background writes itself; the caller closes the descriptor. */
export function openSupervisorLog(dataDir: string): { readonly path: string; readonly fd: number } {
  claimFolder(dataDir)
  try {
    mkdirSync(join(dataDir, 'logs'), { recursive: true })
    const log = new LogFile(join(dataDir, 'logs', `${supervisorLog}.log`))
    log.rotate()
    return { path: log.path, fd: log.open() }
  } catch (error) {
    throw folderError(dataDir, error)
  }
}
