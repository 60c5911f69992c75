import { expect, test } from 'vitest'
import {
  Breaker,
  FlowController,
  Gate,
  Lanes,
  Limiter,
  ManualClock,
  PressureSensor,
  PriorityQueue,
  RateLimiter,
  standardConditions,
} from './index.ts'

const clock = new ManualClock()

const waits = {
  Gate: () => {
    const gate = new Gate({ maxRecords: 1, clock })
    gate.tryAcquire(0)
    return { part: gate, waiting: gate.acquire(0, { timeoutMs: 100 }) }
  },
  PriorityQueue: () => {
    const queue = new PriorityQueue<number>({ maxRecords: 1, onShed: () => {}, clock })
    queue.tryPush(1)
    return { part: queue, waiting: queue.push(2) }
  },
  Limiter: () => {
    const limiter = new Limiter({ limit: 1, clock })
    limiter.tryAcquire()
    return { part: limiter, waiting: limiter.acquire({ timeoutMs: 100 }) }
  },
  RateLimiter: () => {
    const limiter = new RateLimiter({ elements: 1, clock })
    limiter.tryAcquire()
    return { part: limiter, waiting: limiter.acquire() }
  },
  Breaker: () => {
    const breaker = new Breaker({ clock })
    breaker.trip('by hand')
    return { part: breaker, waiting: breaker.ready() }
  },
  FlowController: () => {
    const controller = new FlowController({ maxRecords: 1, clock })
    void controller.run(() => new Promise(() => {}))
    return { part: controller, waiting: controller.run(() => 1) }
  },
}

test.each(Object.entries(waits))('leaving the scope of a %s rejects who waits and leaves no timer', async (_, make) => {
  let outcome: Promise<unknown>
  {
    const { part, waiting } = make()
    using scoped = part
    outcome = waiting.catch((error: unknown) => error)
    expect(scoped.inspect()).toBeDefined()
  }
  expect(await outcome).toMatchObject({ code: 'closed' })
  expect(clock.pending).toBe(0)
})

test('leaving the scope of lanes and of a sensor leaves no timer', () => {
  {
    using lanes = new Lanes<number>({ clock, onStuck: () => {} })
    lanes.push(1)
    lanes.push(2)
    lanes.take()
    lanes.again(lanes.take()!, 100)
    using sensor = new PressureSensor({ conditions: standardConditions({ memory: () => 0 }), clock })
    sensor.start()
    expect(clock.pending).toBe(3)
  }
  expect(clock.pending).toBe(0)
})
