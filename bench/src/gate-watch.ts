import { setTimeout as sleep } from 'node:timers/promises'
import type { Consumer } from '@sluice/kafka'
import { MemorySamples } from './memory-samples.ts'

export interface WatchedGate {
  readonly maxGateBytes: number
  readonly maxGateRecords: number
  readonly memory: ReturnType<MemorySamples['summary']>
}

/** Looks at a consumer's gate and at the memory of the process while it runs, from before it has joined. */
export class GateWatch {
  readonly #memory = new MemorySamples()
  #maxBytes = 0
  #maxRecords = 0

  constructor() {
    globalThis.gc?.()
    this.#memory.sample()
  }

  /** For so long; ends early with what `running` rejects with. */
  async watch(consumer: Pick<Consumer, 'inspect'>, running: Promise<void>, seconds: number): Promise<WatchedGate> {
    const startedMs = performance.now()
    while (performance.now() - startedMs < seconds * 1_000) {
      await Promise.race([sleep(50), running])
      this.#memory.sample()
      const { gate } = consumer.inspect()
      this.#maxBytes = Math.max(this.#maxBytes, gate?.bytes ?? 0)
      this.#maxRecords = Math.max(this.#maxRecords, gate?.records ?? 0)
    }
    return { maxGateBytes: this.#maxBytes, maxGateRecords: this.#maxRecords, memory: this.#memory.summary() }
  }
}
