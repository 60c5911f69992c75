import { getHeapStatistics } from 'node:v8'
import { requireNumber } from '../require.ts'

/** What a process uses of memory. */
export interface MemoryUse {
  /** Memory of the process, as the system counts it. */
  readonly rssBytes: number
  /** V8's heap. */
  readonly heapBytes: number
  /** What V8's heap may grow to. */
  readonly heapLimitBytes: number
}

/** What `memorySensor` takes. */
export interface MemorySensorOptions {
  /** What the process may have: see `readResourceLimits().memoryBytes`. From 1. */
  readonly limitBytes: number
  /** Default: of this process. */
  readonly use?: () => MemoryUse
}

/** How full memory is, 0..1: the larger of resident / limit and heap / heap limit, for either ends the process. */
export function memorySensor({ limitBytes, use = processUse }: MemorySensorOptions): () => number {
  requireNumber('limitBytes', limitBytes, { min: 1 })
  return () => {
    const { rssBytes, heapBytes, heapLimitBytes } = use()
    return Math.max(rssBytes / limitBytes, heapBytes / heapLimitBytes)
  }
}

function processUse(): MemoryUse {
  const { used_heap_size: heapBytes, heap_size_limit: heapLimitBytes } = getHeapStatistics()
  return { rssBytes: process.memoryUsage.rss(), heapBytes, heapLimitBytes }
}
