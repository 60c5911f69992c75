import { setTimeout as sleep } from 'node:timers/promises'
import type { Terminal } from '../terminal.ts'
import { cutTo } from './table.ts'
import { LiveRegion } from './live-region.ts'

/** What a watching command shows each time: lines for people, a value for programs. */
export interface Snapshot {
  readonly lines: readonly string[]
  readonly json: unknown
}

export interface WatchOptions {
  readonly intervalMs: number
  readonly json: boolean
  readonly signal: AbortSignal
}

/**
 * Shows something again and again until the signal is aborted: drawn in place on a terminal, else one below the other;
 * as JSON an object a line. A look that fails ends it.
 */
export async function watch(
  terminal: Terminal,
  look: () => Promise<Snapshot>,
  { intervalMs, json, signal }: WatchOptions,
): Promise<void> {
  const show = json || !terminal.isScreen ? undefined : new LiveRegion(terminal.out)
  try {
    while (!signal.aborted) {
      const dueMs = performance.now() + intervalMs
      const snapshot = await untilAborted(look(), signal)
      if (snapshot === undefined) return
      if (json) terminal.jsonLine(snapshot.json)
      else if (show) show.draw(snapshot.lines.map((line) => cutTo(line, show.columns - 1)))
      else terminal.lines([...snapshot.lines, ''])
      await sleep(Math.max(0, dueMs - performance.now()), undefined, { signal }).catch(() => {})
    }
  } finally {
    show?.[Symbol.dispose]()
  }
}

/** Undefined: the signal came first. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>()
  const onAbort = (): void => resolve(undefined)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([work, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** `14:03:07`, of the machine's own time. */
export function clockOf(now: Date): string {
  return now.toTimeString().slice(0, 8)
}
