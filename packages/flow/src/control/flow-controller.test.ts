import { ConsecutiveBreaker } from 'cockatiel'
import { getEventListeners } from 'node:events'
import { expect, test, vi } from 'vitest'
import { FlowController, ManualClock, stepLimit } from '../index.ts'
import type { FlowAlert, FlowControllerOptions, FlowTransition, Priority } from '../index.ts'

function makeController(options: FlowControllerOptions = {}) {
  const clock = new ManualClock()
  const alerts: FlowAlert[] = []
  const transitions: FlowTransition[] = []
  const controller = new FlowController({ clock, onAlert: (alert) => alerts.push(alert), ...options })
  controller.on('transition', (transition) => transitions.push(transition))
  const outcomes: Record<string, number> = {}
  const count = (outcome: string) => (outcomes[outcome] = (outcomes[outcome] ?? 0) + 1)
  /** Starts pieces of work that take so long. */
  const start = (times: number, ms: number, priority: Priority = 'medium', error?: Error) => {
    for (let i = 0; i < times; i++) {
      const work = async () => {
        await clock.sleep(ms)
        if (error) throw error
      }
      controller.run(work, { priority }).then(
        () => count('done'),
        (reason: { reason?: string; code?: string; message: string }) =>
          count(reason.reason ?? reason.code ?? reason.message),
      )
    }
  }
  return { clock, controller, alerts, transitions, outcomes, start }
}

test('runs work within the capacity and queues the rest', async () => {
  const { controller, clock, outcomes, start } = makeController()
  start(120, 50)
  expect(controller.inspect()).toMatchObject({ load: 120, running: 100, capacity: 100, state: 'closed' })
  expect(controller.throttled).toBe(true)
  await clock.advanceAsync(50)
  expect(controller.load).toBe(20)
  expect(controller.throttled).toBe(false)
  await clock.advanceAsync(50)
  expect(outcomes).toEqual({ done: 120 })
})

test('the capacity follows the mean of each hundred response times, up by 5 and down by 10', async () => {
  const { controller, clock, start } = makeController()
  const changes: [number, number][] = []
  controller.on('capacity', ({ from, to }) => changes.push([from, to]))
  start(100, 99)
  await clock.advanceAsync(99)
  start(100, 1_001)
  await clock.advanceAsync(1_001)
  start(95, 500)
  await clock.advanceAsync(500)
  expect(changes).toEqual([
    [100, 105],
    [105, 95],
  ])
})

test('an important item is taken from the queue first', async () => {
  const { controller, clock } = makeController({ maxRecords: 1_000 })
  const order: string[] = []
  for (let i = 0; i < 100; i++) void controller.run(() => clock.sleep(10))
  for (const priority of ['low', 'medium', 'high'] as const)
    void controller.run(() => order.push(priority), { priority })
  await clock.advanceAsync(10)
  expect(order).toEqual(['high', 'medium', 'low'])
})

test('a load of more than 1.5 times the capacity is an emergency: alert, capacity 10, only high stays', async () => {
  const { controller, clock, alerts, transitions, outcomes, start } = makeController()
  start(100, 50)
  start(5, 50, 'high')
  start(45, 50)
  expect(controller.state).toBe('closed')
  start(1, 50, 'low')
  expect(controller.inspect()).toMatchObject({
    state: 'open',
    capacity: 10,
    load: 105,
    queue: { queued: { high: 5, medium: 0 } },
  })
  expect(transitions).toEqual([{ from: 'closed', to: 'open', reason: 'overload', load: 151, capacity: 100 }])
  expect(alerts).toEqual([{ message: 'System overload detected', reason: 'overload', load: 151, capacity: 100 }])
  start(1, 50)
  start(1, 50, 'high')
  await clock.advanceAsync(100)
  expect(outcomes).toEqual({ low_priority_drop: 46, circuit_open: 1, done: 106 })
  expect(controller.inspect().queue.shed.low_priority_drop).toBe(46)
})

test('in an emergency no more than 10 run at a time and nothing is learnt', async () => {
  const { controller, clock, start } = makeController({ openMs: 100_000 })
  start(151, 10)
  await clock.advanceAsync(10)
  start(300, 10, 'high')
  expect(controller.inspect()).toMatchObject({ running: 10, load: 300 })
  await clock.advanceAsync(300)
  expect(controller.inspect()).toMatchObject({ load: 0, capacity: 10, state: 'open' })
})

test('after its time ten trials decide, and the capacity restarts at half of what it was', async () => {
  const { controller, clock, transitions, outcomes, alerts, start } = makeController()
  start(151, 10)
  await clock.advanceAsync(60_000)
  expect(controller.state).toBe('half-open')
  start(12, 1_000, 'low')
  await clock.advanceAsync(0)
  expect(outcomes.circuit_open).toBe(2)
  await clock.advanceAsync(1_000)
  expect(controller.inspect()).toMatchObject({ state: 'closed', capacity: 50 })
  expect(transitions.map(({ to, reason }) => [to, reason])).toEqual([
    ['open', 'overload'],
    ['half-open', 'open_time_over'],
    ['closed', 'trials_passed'],
  ])
  expect(alerts).toHaveLength(1)
})

test('a trial that is slow or fails keeps it open, without another alert and with the same way back', async () => {
  for (const [ms, error] of [
    [1_001, undefined],
    [1, new Error('down')],
  ] as const) {
    const { controller, clock, alerts, transitions, start } = makeController()
    start(151, 10)
    await clock.advanceAsync(60_000)
    start(1, ms, 'medium', error)
    await clock.advanceAsync(ms)
    expect(transitions.at(-1)).toMatchObject({ from: 'half-open', to: 'open', reason: 'trial_failed' })
    expect(alerts).toHaveLength(1)
    await clock.advanceAsync(60_000)
    start(10, 1)
    await clock.advanceAsync(1)
    expect(controller.inspect()).toMatchObject({ state: 'closed', capacity: 50 })
  }
})

test('high work goes on in half-open beyond the trials', async () => {
  const { controller, clock, outcomes, start } = makeController({ trialCalls: 1 })
  start(151, 10)
  await clock.advanceAsync(60_000)
  start(1, 5, 'medium')
  start(3, 5, 'high')
  await clock.advanceAsync(5)
  expect(outcomes.done).toBe(104)
  expect(controller.state).toBe('closed')
})

test('too many failures are an emergency too, unless they are said to be none', async () => {
  const strategy = () => new ConsecutiveBreaker(3)
  const failing = makeController({ strategy: strategy() })
  failing.start(3, 1, 'medium', new Error('down'))
  await failing.clock.advanceAsync(1)
  expect(failing.alerts).toMatchObject([{ reason: 'failures' }])
  expect(failing.outcomes).toEqual({ down: 3 })
  const fine = makeController({ strategy: strategy(), isFailure: () => false })
  fine.start(3, 1, 'medium', new Error('not found'))
  await fine.clock.advanceAsync(1)
  expect(fine.controller.state).toBe('closed')
})

test('a trial that finds no room leaves its place to another', async () => {
  const { controller, clock, outcomes, start } = makeController({ strategy: new ConsecutiveBreaker(1), maxRecords: 1 })
  start(1, 1, 'medium', new Error('down'))
  await clock.advanceAsync(60_001)
  start(1, 50)
  start(3, 1, 'low')
  await clock.advanceAsync(0)
  expect(outcomes).toEqual({ down: 1, low_priority_drop: 3 })
  expect(controller.inspect().breaker).toMatchObject({ state: 'half-open', trialsStarted: 1 })
})

test('work that throws synchronously rejects its run and frees its place', async () => {
  const { controller } = makeController()
  const broken = () => {
    throw new Error('sync')
  }
  await expect(controller.run(broken)).rejects.toThrow('sync')
  await expect(controller.run(() => 7)).resolves.toBe(7)
  expect(controller.load).toBe(0)
})

test('queued work that is aborted never runs and leaves nothing', async () => {
  const { controller, clock, start } = makeController()
  start(100, 10)
  const abort = new AbortController()
  const aborted = controller.run(() => expect.unreachable(), { signal: abort.signal })
  await clock.advanceAsync(0)
  abort.abort(new Error('enough'))
  await expect(aborted).rejects.toThrow('enough')
  expect(controller.load).toBe(100)
  await expect(controller.run(() => 1, { signal: abort.signal })).rejects.toThrow('enough')
  const { signal } = new AbortController()
  const done = controller.run(() => 1, { signal })
  await clock.advanceAsync(10)
  await done
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

test('queued work that is shed leaves no listener, and a later abort of it does nothing', async () => {
  const { controller, clock, outcomes, start } = makeController({ limit: stepLimit({ start: 10 }) })
  start(10, 10)
  const abort = new AbortController()
  const shed = controller.run(() => expect.unreachable(), { signal: abort.signal }).catch((error: unknown) => error)
  await clock.advanceAsync(0)
  expect(getEventListeners(abort.signal, 'abort')).toHaveLength(1)
  start(6, 10)
  expect(await shed).toMatchObject({ reason: 'low_priority_drop' })
  expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0)
  abort.abort()
  await clock.advanceAsync(10)
  expect([outcomes, controller.load]).toEqual([{ done: 10, low_priority_drop: 5, circuit_open: 1 }, 0])
})

test('a full queue applies its own rules: medium waits a second, low is refused', async () => {
  const { controller, clock, outcomes, start } = makeController({ maxRecords: 100 })
  start(100, 5_000)
  start(1, 1, 'medium')
  start(1, 1, 'low')
  await clock.advanceAsync(1_000)
  expect(outcomes).toEqual({ low_priority_drop: 1, timeout_drop: 1 })
  expect(controller.load).toBe(100)
})

test('close rejects what is queued and what comes, and lets what runs end', async () => {
  const { controller, clock, outcomes, start } = makeController()
  start(110, 10)
  controller.close()
  controller.close()
  start(1, 10)
  await clock.advanceAsync(10)
  expect(outcomes).toEqual({ done: 100, closed: 11 })
  expect(controller.inspect()).toMatchObject({ load: 0, queue: { records: 0 } })
  expect(clock.pending).toBe(0)
})

test.each([
  [{ overloadFactor: 0.9 }, 'overloadFactor'],
  [{ overloadFactor: Number.NaN }, 'overloadFactor'],
  [{ emergencyCapacity: 0 }, 'emergencyCapacity'],
  [{ slowTrialMs: -1 }, 'slowTrialMs'],
  [{ maxRecords: 0 }, 'maxRecords'],
  [{ trialCalls: 0 }, 'trialCalls'],
  [{ openMs: -1 }, 'openMs'],
])('%o is refused, naming %s', (options, field) => {
  expect(() => new FlowController(options)).toThrow(expect.objectContaining({ field }))
})

test('who has aborted before hears so, also where the circuit is open', async () => {
  const { controller, start } = makeController({ limit: stepLimit({ start: 10 }) })
  start(16, 10)
  expect(controller.state).toBe('open')
  const signal = AbortSignal.abort(new Error('enough'))
  await expect(controller.run(() => 1, { signal })).rejects.toThrow('enough')
})

test('work that is no function is refused', async () => {
  const { controller } = makeController()
  await expect(controller.run(undefined as never)).rejects.toMatchObject({ field: 'work' })
})

test('a judgement, a limit and a strategy that throw are told as warnings, and every place is free again', async () => {
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const broken = () => {
    throw new Error('broken')
  }
  const { controller } = makeController({ isFailure: broken })
  const { controller: unlimited } = makeController({ limit: { ...stepLimit(), next: broken } })
  const { controller: careless } = makeController({
    strategy: { state: undefined, success: broken, failure: broken },
  })
  for (const each of [controller, unlimited, careless]) {
    await expect(each.run(() => Promise.reject(new Error('work')))).rejects.toThrow('work')
    await expect(each.run(() => 'done')).resolves.toBe('done')
    await new Promise((resolve) => setImmediate(resolve))
    expect(each.inspect()).toMatchObject({ load: 0, running: 0, queue: { records: 0 } })
  }
  expect(warnings.mock.calls.length).toBeGreaterThanOrEqual(5)
  warnings.mockRestore()
})

test('a listener may start and stop work, and the controller stays right', async () => {
  const { controller, clock, outcomes, start } = makeController({ limit: stepLimit({ start: 10 }) })
  controller.on('transition', ({ to }) => {
    if (to === 'open') start(1, 5, 'high')
    if (to === 'half-open') controller.close()
  })
  start(16, 10)
  await clock.advanceAsync(100)
  expect(outcomes).toEqual({ done: 11, low_priority_drop: 6 })
  await clock.advanceAsync(60_000)
  await expect(controller.run(() => 1)).rejects.toMatchObject({ code: 'closed' })
  expect([controller.load, clock.pending]).toEqual([0, 0])
})
