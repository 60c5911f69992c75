import { expect, test } from 'vitest'
import {
  aimdLimit,
  Breaker,
  BufferedProcessor,
  cpuSensor,
  fixedLimit,
  Flow,
  FlowController,
  Gate,
  gradientLimit,
  Lanes,
  Limiter,
  memorySensor,
  PressureSensor,
  PriorityQueue,
  stepLimit,
  windowedLimit,
} from './index.ts'

const onShed = (): void => {}
const flow = Flow.range(0, 1)

test.each<[string, () => unknown]>([
  ['Gate', () => new Gate({ maxRecords: 1, maxBytes: 1, maxWaiting: 0, highWatermark: 1, lowWatermark: 0 })],
  ['PriorityQueue', () => new PriorityQueue({ maxRecords: 1, maxWaiting: 0, mediumWaitMs: 0, highWaitMs: 0, onShed })],
  ['Lanes', () => new Lanes({ ageingMs: 0, stuckAfterMs: 1 })],
  ['Lanes, never', () => new Lanes({ ageingMs: Infinity, stuckAfterMs: Infinity })],
  ['fixedLimit', () => fixedLimit(1)],
  ['stepLimit', () => stepLimit({ min: 1, max: 1, start: 1, window: 1, slowMs: 1, fastMs: 0, stepDown: 0, stepUp: 0 })],
  ['aimdLimit', () => aimdLimit({ min: 1, max: 1, start: 1, timeoutMs: 0, backoffRatio: 0.5 })],
  ['aimdLimit, most', () => aimdLimit({ backoffRatio: 0.999 })],
  ['gradientLimit', () => gradientLimit({ tolerance: 1, longWindow: 1, smoothing: 0.001, queueSize: 0, window: 1 })],
  ['gradientLimit, most', () => gradientLimit({ smoothing: 1, backoffRatio: 0.999 })],
  ['gradientLimit, cut', () => gradientLimit({ backoffRatio: 0.5 })],
  ['windowedLimit', () => windowedLimit(fixedLimit(1), { window: 1 })],
  ['Limiter', () => new Limiter({ limit: 1, maxWaiting: 0, shares: { high: 1, medium: 0, low: 0 } })],
  ['Limiter, restarted', () => new Limiter({ limit: 1 }).restart(1)],
  ['Breaker', () => new Breaker({ openMs: 1, trialCalls: 1, maxWaiting: 0 })],
  [
    'FlowController',
    () => new FlowController({ overloadFactor: 1, emergencyCapacity: 1, slowTrialMs: 0, maxRecords: 1 }),
  ],
  ['cpuSensor', () => cpuSensor({ cpus: 0.001 })],
  ['memorySensor', () => memorySensor({ limitBytes: 1 })],
  ['PressureSensor', () => new PressureSensor({ conditions: {}, holdMs: 0, intervalMs: 1 })],
  [
    'BufferedProcessor',
    () => new BufferedProcessor((n) => n, { bufferSize: 1, firstRequest: 1, refill: 1, refillBelow: 1 }),
  ],
  ['tick', () => Flow.tick(1, 0)],
  ['range', () => Flow.range(-5, 0)],
  ['take', () => flow.take(0)],
  ['delayElements', () => flow.delayElements(0)],
  ['limitRate', () => flow.limitRate(1)],
  ['retry', () => flow.retry({ retries: 0, delayMs: 0 })],
  ['retry, always', () => flow.retry({ retries: Infinity })],
  ['groupedWithin', () => flow.groupedWithin(1, 1)],
])('%s takes the least and the most that is allowed', (_, make) => {
  expect(make).not.toThrow()
})

test('costs, waits and delays of nothing are allowed', async () => {
  const gate = new Gate({ maxRecords: 1 })
  await gate.acquire(0, { records: 0, timeoutMs: 0 })
  await gate.acquire(0, { records: 0, timeoutMs: Infinity })
  gate.charge(0, 0)
  gate.release(0, 0)
  const limiter = new Limiter({ limit: 1 })
  const token = await limiter.acquire({ timeoutMs: 0 })
  token.ignore()
  const lanes = new Lanes<number>()
  lanes.push(1)
  lanes.again(lanes.take()!, 0)
  expect([lanes.ready, lanes.stuck(0)]).toEqual([1, []])
})
