const MiB = 2 ** 20

/** The resident set over time, at most one sample in 100 ms. */
export class MemorySamples {
  readonly #samplesMiB: number[] = []
  #nextMs = 0

  /** Takes a sample where one is due. */
  sample(): void {
    const nowMs = performance.now()
    if (nowMs < this.#nextMs) return
    this.#nextMs = nowMs + 100
    this.#samplesMiB.push(process.memoryUsage.rss() / MiB)
  }

  /** The growth is from the first sample to the highest one. */
  summary() {
    const samples = this.#samplesMiB
    const [first = NaN] = samples
    const max = samples.reduce((highest, sample) => Math.max(highest, sample), first)
    const last = samples.at(-1) ?? NaN
    const every = Math.max(1, Math.floor(samples.length / 50))
    return {
      firstMiB: Math.round(first),
      lastMiB: Math.round(last),
      maxMiB: Math.round(max),
      growthMiB: Math.round(max - first),
      samplesMiB: samples.filter((_, index) => index % every === 0).map(Math.round),
    }
  }
}
