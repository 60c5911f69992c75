import { systemClock } from '../clock.ts'
import type { Clock } from '../clock.ts'
import { requireNumber } from '../require.ts'

/** What `cpuSensor` takes. */
export interface CpuSensorOptions {
  /** How many CPUs are a load of 1: see `readResourceLimits().cpus`. From 0.001. */
  readonly cpus: number
  /** Processor time used so far, in microseconds. Default: of this process. */
  readonly usedUs?: () => number
  readonly clock?: Clock
}

/** The share of its processors that this process has used since the last reading, 0..1. */
export function cpuSensor({ cpus, usedUs = processUs, clock = systemClock }: CpuSensorOptions): () => number {
  requireNumber('cpus', cpus, { min: 0.001 })
  let lastMs = clock.monotonicMs()
  let lastUs = usedUs()
  let share = 0
  return () => {
    const nowMs = clock.monotonicMs()
    if (nowMs === lastMs) return share
    const nowUs = usedUs()
    share = (nowUs - lastUs) / 1_000 / (nowMs - lastMs) / cpus
    lastMs = nowMs
    lastUs = nowUs
    return share
  }
}

function processUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}
