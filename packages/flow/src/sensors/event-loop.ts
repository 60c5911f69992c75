import { performance } from 'node:perf_hooks'
import type { EventLoopUtilization } from 'node:perf_hooks'

/** The share of time that the event loop was busy since the last reading, 0..1. Over 0.9 it is saturated. */
export function eventLoopSensor(
  read: () => EventLoopUtilization = () => performance.eventLoopUtilization(),
): () => number {
  let last = read()
  return () => {
    const now = read()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    return utilization
  }
}
