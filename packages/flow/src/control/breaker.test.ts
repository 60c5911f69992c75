import { ConsecutiveBreaker, ExponentialBackoff, noJitterGenerator } from 'cockatiel'
import { expect, test, vi } from 'vitest'
import { Breaker, CircuitOpenError, ManualClock } from '../index.ts'
import type { BreakerOptions, BreakerTransition } from '../index.ts'

function makeBreaker(options: BreakerOptions = {}) {
  const clock = new ManualClock()
  const strategy = new ConsecutiveBreaker(2)
  const breaker = new Breaker({ clock, strategy, openMs: 100, trialCalls: 2, ...options })
  const transitions: BreakerTransition[] = []
  breaker.on('transition', (transition) => transitions.push(transition))
  return { breaker, clock, transitions }
}

const fail = () => Promise.reject(new Error('down'))

async function openByFailures(breaker: Breaker): Promise<void> {
  for (let i = 0; i < 2; i++) await expect(breaker.execute(fail)).rejects.toThrow('down')
}

test('opens by its strategy, then refuses without trying and says for how long', async () => {
  const { breaker, clock, transitions } = makeBreaker()
  await expect(breaker.execute(() => 'fine')).resolves.toBe('fine')
  await openByFailures(breaker)
  clock.advance(30)
  let isTried = false
  await expect(breaker.execute(() => (isTried = true))).rejects.toMatchObject({
    code: 'circuit_open',
    retryAfterMs: 70,
  })
  expect(isTried).toBe(false)
  expect(breaker.openError()).toBeInstanceOf(CircuitOpenError)
  expect(transitions).toEqual([{ from: 'closed', to: 'open', reason: 'failures' }])
})

test('by default opens when more than half of the last hundred calls failed', async () => {
  const clock = new ManualClock()
  const breaker = new Breaker({ clock })
  for (let i = 0; i < 99; i++) await expect(breaker.execute(fail)).rejects.toThrow('down')
  expect(breaker.state).toBe('closed')
  await expect(breaker.execute(fail)).rejects.toThrow('down')
  expect(breaker.state).toBe('open')
  clock.advance(59_999)
  expect(breaker.state).toBe('open')
  clock.advance(1)
  expect(breaker.state).toBe('half-open')
})

test('a success counts for the strategy', async () => {
  const { breaker } = makeBreaker()
  for (let i = 0; i < 3; i++) {
    await expect(breaker.execute(fail)).rejects.toThrow('down')
    await breaker.execute(() => 'fine')
  }
  expect(breaker.state).toBe('closed')
})

test('half-open lets in as many trials as wanted, and closes when all went well', async () => {
  const { breaker, clock, transitions } = makeBreaker()
  await openByFailures(breaker)
  clock.advance(100)
  const [first, second] = [breaker.tryEnter()!, breaker.tryEnter()!]
  expect(breaker.tryEnter()).toBeUndefined()
  first.success()
  first.failure()
  expect(breaker.inspect()).toMatchObject({ state: 'half-open', trialsStarted: 2, trialsPassed: 1, openForMs: 0 })
  second.success()
  expect(breaker.state).toBe('closed')
  expect(transitions.slice(1)).toEqual([
    { from: 'open', to: 'half-open', reason: 'open_time_over' },
    { from: 'half-open', to: 'closed', reason: 'trials_passed' },
  ])
})

test('one failed trial opens it again for its whole time', async () => {
  const { breaker, clock, transitions } = makeBreaker()
  await openByFailures(breaker)
  clock.advance(100)
  breaker.tryEnter()!.failure()
  expect(transitions.at(-1)).toEqual({ from: 'half-open', to: 'open', reason: 'trial_failed' })
  clock.advance(99)
  expect(breaker.state).toBe('open')
  clock.advance(1)
  expect(breaker.state).toBe('half-open')
})

test('a trial that says nothing makes room for another', async () => {
  const { breaker, clock } = makeBreaker({ isFailure: (error) => (error as Error).message !== 'mine' })
  await openByFailures(breaker)
  clock.advance(100)
  const mine = () => Promise.reject(new Error('mine'))
  for (let i = 0; i < 5; i++) await expect(breaker.execute(mine)).rejects.toThrow('mine')
  expect(breaker.inspect()).toMatchObject({ state: 'half-open', trialsStarted: 0 })
})

test('a call that began in an earlier state says nothing in the present one', async () => {
  const { breaker, clock } = makeBreaker()
  const early = breaker.tryEnter()!
  const alsoEarly = breaker.tryEnter()!
  await openByFailures(breaker)
  clock.advance(100)
  early.failure()
  alsoEarly.success()
  expect(breaker.inspect()).toMatchObject({ state: 'half-open', trialsPassed: 0 })
})

test('stays open longer each time in a row where a back-off says so, and starts over after it closed', async () => {
  const openMs = new ExponentialBackoff({
    initialDelay: 100,
    exponent: 2,
    maxDelay: 1_000,
    generator: noJitterGenerator,
  })
  const { breaker, clock } = makeBreaker({ openMs, trialCalls: 1 })
  await openByFailures(breaker)
  expect(breaker.inspect().openForMs).toBe(100)
  clock.advance(100)
  breaker.tryEnter()!.failure()
  expect(breaker.inspect().openForMs).toBe(200)
  clock.advance(200)
  breaker.tryEnter()!.success()
  breaker.trip('by hand')
  expect(breaker.inspect().openForMs).toBe(100)
})

test('ready waits while it is open, and at most so many wait', async () => {
  const { breaker, clock } = makeBreaker({ maxWaiting: 1 })
  await breaker.ready()
  breaker.trip('by hand')
  const waiting = breaker.ready()
  await expect(breaker.ready()).rejects.toMatchObject({ code: 'circuit_open' })
  expect(breaker.inspect().waiting).toBe(1)
  clock.advance(100)
  await waiting
  expect(breaker.inspect().waiting).toBe(0)
})

test('tripped again while open, its time begins anew with one timer', () => {
  const { breaker, clock } = makeBreaker()
  breaker.trip('first')
  clock.advance(60)
  breaker.trip('second')
  expect(clock.pending).toBe(1)
  clock.advance(60)
  expect(breaker.state).toBe('open')
})

test('close leaves no timer and nobody waiting', async () => {
  const { breaker, clock } = makeBreaker()
  breaker.trip('by hand')
  const waiting = breaker.ready()
  breaker.close()
  await expect(waiting).rejects.toMatchObject({ code: 'closed' })
  await expect(breaker.ready()).rejects.toMatchObject({ code: 'closed' })
  breaker.trip('again')
  expect(clock.pending).toBe(0)
})

test('a wait that is aborted ends with the reason', async () => {
  const { breaker } = makeBreaker()
  await expect(breaker.ready(AbortSignal.abort(new Error('before')))).rejects.toThrow('before')
  breaker.trip('by hand')
  const controller = new AbortController()
  const waiting = breaker.ready(controller.signal)
  controller.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
  await expect(breaker.ready(controller.signal)).rejects.toThrow('enough')
})

test.each([
  [{ openMs: 0 }, 'openMs'],
  [{ openMs: Number.NaN }, 'openMs'],
  [{ trialCalls: 0 }, 'trialCalls'],
  [{ maxWaiting: -1 }, 'maxWaiting'],
])('%o is refused, naming %s', (options, field) => {
  expect(() => new Breaker(options)).toThrow(expect.objectContaining({ field }))
})

test('an error of a circuit that is not open says that there is nothing to wait for', () => {
  const { breaker, clock } = makeBreaker()
  expect(breaker.inspect()).toMatchObject({ state: 'closed', openForMs: 0 })
  breaker.trip('by hand')
  clock.advance(100)
  expect(breaker.openError()).toMatchObject({ retryAfterMs: 0, state: 'half-open' })
})

test('a judgement that throws is told as a warning, counts as a failure, and keeps no trial', async () => {
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const { breaker, clock } = makeBreaker({
    isFailure: () => {
      throw new Error('cannot judge')
    },
  })
  await openByFailures(breaker)
  expect(breaker.state).toBe('open')
  clock.advance(100)
  await expect(breaker.execute(fail)).rejects.toThrow('down')
  expect(breaker.state).toBe('open')
  expect(warnings).toHaveBeenCalledTimes(3)
  warnings.mockRestore()
})
