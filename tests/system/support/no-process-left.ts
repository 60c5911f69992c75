import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const mark = 'SLUICE_TEST_RUN'

/**
 * Marks the environment before the suite and looks for the mark in every process after it: whatever a test has
 * started and left running fails the run. Servers such as Redis write over their environment, so the run has a folder
 * for temporary files of its own too, and whoever works in there counts as well. Linux only (it reads /proc).
 */
export default function setup(): () => Promise<void> {
  const run = `${process.pid}-${Date.now()}`
  const folder = mkdtempSync(join(tmpdir(), 'sluice-run-'))
  // As root the servers run as somebody else, who has to get there.
  chmodSync(folder, 0o755)
  process.env[mark] = run
  process.env['TMPDIR'] = folder
  return async () => {
    const deadlineMs = performance.now() + 15_000
    let left = processesOf(run, folder)
    while (left.length > 0 && performance.now() < deadlineMs) {
      await sleep(200)
      left = processesOf(run, folder)
    }
    if (left.length === 0) return rmSync(folder, { recursive: true, force: true })
    // vitest only prints what a teardown throws.
    process.exitCode = 1
    throw new Error(`the tests left processes running:\n${left.join('\n')}`)
  }
}

/** The processes that have the mark in their environment, or whose current folder is in that of the run. */
export function processesOf(run: string, folder: string): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
        const isInside = `${readlinkSync(`/proc/${pid}/cwd`)}${sep}`.startsWith(`${folder}${sep}`)
        if (!isInside && !environment.includes(`${mark}=${run}`)) return []
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 200)
        // The runner's own workers and bundler go with it.
        return command === '' || /vitest|esbuild|rolldown/.test(command) ? [] : [`${pid} ${command}`]
      } catch {
        // It ended while we looked, or belongs to somebody else.
        return []
      }
    })
}
