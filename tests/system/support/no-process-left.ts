import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const mark = 'SLUICE_TEST_RUN'

/**
 * Marks the environment before the suite and looks for the mark in every process after it: whatever a test has
 * started and left running fails the run. Linux only (it reads /proc); elsewhere it checks nothing.
 */
export default function setup(): () => Promise<void> {
  const run = `${process.pid}-${Date.now()}`
  process.env[mark] = run
  return async () => {
    const deadlineMs = performance.now() + 15_000
    let left = processesMarked(run)
    while (left.length > 0 && performance.now() < deadlineMs) {
      await sleep(200)
      left = processesMarked(run)
    }
    if (left.length === 0) return
    // vitest only prints what a teardown throws.
    process.exitCode = 1
    throw new Error(`the tests left processes running:\n${left.join('\n')}`)
  }
}

function processesMarked(run: string): string[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
        if (!environment.includes(`${mark}=${run}`)) return []
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').slice(0, 200)
        // The runner's own workers and bundler go with it.
        return command === '' || /vitest|esbuild|rolldown/.test(command) ? [] : [`${pid} ${command}`]
      } catch {
        // It ended while we looked, or belongs to somebody else.
        return []
      }
    })
}
