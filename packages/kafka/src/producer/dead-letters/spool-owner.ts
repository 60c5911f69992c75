import { createHash, randomUUID } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

/** How often a process shows, by the time of its files, that it is alive. */
export const heartbeatMs = 20_000
/** A process whose files are older than this is gone, or has been frozen. */
const staleMs = 180_000

const space = pidSpace()
const pattern = /^(\d+)-([0-9a-f]{16})-/

/** Names files of this process: by its pid, and by where that pid means this process. */
export function newName(): string {
  return `${process.pid}-${space}-${randomUUID()}`
}

/**
 * Whether the process that a file is named after still has it. A pid can be asked for only where it was given: in
 * another container, or on another machine that shares the folder, the same pid is another process. There the time of
 * the file decides.
 */
export function isHeld(name: string, modifiedAtMs: number, isOwn: (name: string) => boolean): boolean {
  const [, pid, itsSpace] = pattern.exec(name) ?? []
  if (itsSpace === space) {
    if (Number(pid) === process.pid) return isOwn(name)
    if (!isAlive(Number(pid))) return false
  }
  return Date.now() - modifiedAtMs < staleMs
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The same for two processes where a pid means the same to both: one boot of one machine, one namespace of pids. */
function pidSpace(): string {
  let text: string
  try {
    text = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8') + readlinkSync('/proc/self/ns/pid')
  } catch {
    text = hostname()
  }
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
