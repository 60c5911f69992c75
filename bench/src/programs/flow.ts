// One way of doing one job of flow control, measured in a process of its own.
import { setImmediate as turn } from 'node:timers/promises'
import { GCProfiler } from 'node:v8'
import { flowJobs } from '../flow/jobs.ts'
import { answer, job } from '../in-process.ts'

export interface FlowJob {
  readonly kind: string
  readonly way: string
  readonly items: number
}

export interface FlowMeasured {
  readonly itemsPerSecond: number
  /** Processor time of the whole process, the collector's threads included: what a loaded machine cannot falsify. */
  readonly cpuUsPerItem: number
  readonly bytesPerItem: number
}

const leastMs = 1_000
const { kind, way, items } = job<FlowJob>()
const work = flowJobs[kind]?.[way]
if (work === undefined) throw new RangeError(`No way '${way}' of '${kind}'`)

// Compiled, and compiled again for what it does most, before it is measured.
await work(Math.ceil(items / 2))
await turn()
globalThis.gc?.()
const profiler = new GCProfiler()
const heapBefore = process.memoryUsage().heapUsed
profiler.start()
const cpuBefore = process.cpuUsage()
const startedMs = performance.now()
// Again and again, so that what is quick is measured as long as what is slow.
let done = 0
let wanted = 0
do {
  done += await work(items)
  wanted += items
} while (performance.now() - startedMs < leastMs)
const elapsedMs = performance.now() - startedMs
const { user, system } = process.cpuUsage(cpuBefore)
const heapAfter = process.memoryUsage().heapUsed
if (done !== wanted) throw new Error(`${way} did ${done} of ${wanted}`)

/** What was collected on the way, and what is left. */
let allocated = heapAfter - heapBefore
for (const { beforeGC, afterGC } of profiler.stop()?.statistics ?? []) {
  allocated += beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize
}
const measured: FlowMeasured = {
  itemsPerSecond: (done * 1_000) / elapsedMs,
  cpuUsPerItem: (user + system) / done,
  bytesPerItem: allocated / done,
}
answer(measured)
