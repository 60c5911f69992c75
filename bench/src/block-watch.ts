/**
 * Watches for how long the event loop lets no timer run. On a machine that is busy with other things a gap may be time
 * in which the process did not run at all: so it is also measured how long the thread itself worked in each.
 */
export class BlockWatch {
  #timer: NodeJS.Timeout
  #lastMs = performance.now()
  #lastCpuMs = threadCpuMs()
  #longestGapMs = 0
  #longestBlockMs = 0

  constructor() {
    this.#timer = setTimeout(() => this.#look(), 1)
  }

  stop(): { readonly longestGapMs: number; readonly longestBlockMs: number } {
    clearTimeout(this.#timer)
    return { longestGapMs: this.#longestGapMs, longestBlockMs: this.#longestBlockMs }
  }

  #look(): void {
    const nowMs = performance.now()
    const cpuMs = threadCpuMs()
    const gapMs = nowMs - this.#lastMs
    this.#longestGapMs = Math.max(this.#longestGapMs, gapMs)
    this.#longestBlockMs = Math.max(this.#longestBlockMs, Math.min(gapMs, cpuMs - this.#lastCpuMs))
    this.#lastMs = nowMs
    this.#lastCpuMs = cpuMs
    this.#timer = setTimeout(() => this.#look(), 1)
  }
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}
