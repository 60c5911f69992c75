import { setTimeout as sleep } from 'node:timers/promises'
import type { Terminal } from '../terminal.ts'
import { onQuitKey } from './keys.ts'
import { printable } from './printable.ts'
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
 * as JSON one object per line. On a terminal `q` ends it too. The first look must succeed; later ones may fail for a
 * while.
 */
export async function watch(
  terminal: Terminal,
  look: () => Promise<Snapshot>,
  { intervalMs, json, signal: interrupt }: WatchOptions,
): Promise<void> {
  const quit = new AbortController()
  const signal = AbortSignal.any([interrupt, quit.signal])
  const isDrawn = !json && terminal.isScreen
  using _reader = terminal.endWithReader()
  using _keys = isDrawn ? onQuitKey(terminal.input, () => quit.abort()) : undefined
  using display: Display = isDrawn ? new Redrawn(terminal.out) : listed(terminal, json)
  let looks = 0
  while (!signal.aborted) {
    const dueMs = performance.now() + intervalMs
    try {
      const snapshot = await untilAborted(look(), signal)
      if (snapshot !== undefined) display.show(snapshot)
    } catch (error) {
      if (looks === 0 || (error as { retriable?: boolean }).retriable !== true) throw error
      display.wait(`waiting: ${printable((error as Error).message)}`)
    }
    looks++
    await sleep(Math.max(0, dueMs - performance.now()), undefined, { signal }).catch(() => {})
  }
}

interface Display extends Disposable {
  show(snapshot: Snapshot): void
  wait(text: string): void
}

/** One below the other. */
function listed(terminal: Terminal, json: boolean): Display {
  return {
    show: (snapshot) => (json ? terminal.jsonLine(snapshot.json) : terminal.lines([...snapshot.lines, ''])),
    wait: (text) => terminal.note(text),
    [Symbol.dispose]: () => {},
  }
}

class Redrawn implements Display {
  readonly #region: LiveRegion
  #lines: readonly string[] = []

  constructor(out: NodeJS.WriteStream) {
    this.#region = new LiveRegion(out)
  }

  show({ lines }: Snapshot): void {
    this.#lines = lines
    this.#draw(lines)
  }

  /** Below what was known last. */
  wait(text: string): void {
    this.#draw([...this.#lines, '', text])
  }

  [Symbol.dispose](): void {
    this.#region[Symbol.dispose]()
  }

  #draw(lines: readonly string[]): void {
    this.#region.draw(lines.map((line) => cutTo(line, this.#region.columns - 1)))
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
