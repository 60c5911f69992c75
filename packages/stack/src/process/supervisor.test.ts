import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ProcessIdentity, identify, isAlive } from '../machine/identity.ts'
import type { ProcessEvent } from './process-spec.ts'
import { Supervisor } from './supervisor.ts'

let dir: string
let events: ProcessEvent[]
let supervisor: Supervisor

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'supervisor-'))
  events = []
  supervisor = new Supervisor({ logDir: join(dir, 'logs'), onEvent: (event) => events.push(event) })
})
afterEach(async () => {
  await supervisor.close(0)
  rmSync(dir, { recursive: true })
})

/** Resolves with the first event that fits. */
function eventOf<T extends ProcessEvent['type']>(type: T, fits: (event: ProcessEvent) => boolean = () => true) {
  const { promise, resolve } = Promise.withResolvers<Extract<ProcessEvent, { type: T }>>()
  const stop = supervisor.onEvent((event) => {
    if (event.type !== type || !fits(event)) return
    stop()
    resolve(event as Extract<ProcessEvent, { type: T }>)
  })
  return promise
}

const shell = (name: string, script: string) => ({ name, command: 'sh', args: ['-c', script] })
const node = (name: string, ...lines: string[]) => ({ name, args: ['--eval', lines.join('\n')] })
const reaches = (state: string) => eventOf('state', (event) => event.type === 'state' && event.state === state)

describe('a supervised process', () => {
  it('is named by its own pid, writes its log, and is gone after a stop', async () => {
    const process = await supervisor.start({ ...shell('a', 'echo hello; exec sleep 60'), ready: untilSaid('hello') })
    const identity = identify(process.pid!) as ProcessIdentity
    expect(process.status()).toEqual({ name: 'a', pid: identity.pid, state: 'running', restarts: 0 })
    expect(process.log.tail(1)).toBe('hello')
    await process.stop()
    expect(isAlive(identity)).toBe(false)
    expect(process.status()).toEqual({ name: 'a', pid: null, state: 'stopped', restarts: 0 })
  })

  it('is started again when it is killed, and counts that', async () => {
    const process = await supervisor.start({
      ...shell('a', 'exec sleep 60'),
      restart: 'always',
      backOff: { firstMs: 1 },
    })
    const first = process.pid
    const again = reaches('running')
    process.kill('SIGKILL')
    await again
    expect(process.pid).not.toBe(first)
    expect(process.status()).toMatchObject({ state: 'running', restarts: 1 })
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'exited', pid: first, exit: { code: null, signal: 'SIGKILL' } }),
    )
  })

  it('waits longer before each further restart', async () => {
    const third = eventOf('restarting', (event) => event.type === 'restarting' && event.restarts === 3)
    await supervisor.start({ ...shell('a', 'exit 3'), restart: 'on-failure', backOff: { firstMs: 1, maxMs: 4 } })
    await third
    const waits = events.filter((event) => event.type === 'restarting').map(({ delayMs }) => delayMs)
    expect(waits.slice(0, 3)).toEqual([1, 2, 4])
  })

  it('that is done is not started again where only failures are', async () => {
    const stopped = reaches('stopped')
    const process = await supervisor.start({ ...shell('a', 'exit 0'), restart: 'on-failure' })
    await stopped
    expect(process.status()).toMatchObject({ state: 'stopped', restarts: 0 })
  })

  it('that finds its port taken is known for it, however much it says afterwards', async () => {
    const start = supervisor.start({
      ...shell('a', 'echo Address already in use; for i in $(seq 100); do echo going down; done; exit 1'),
      ready: untilSaid('never'),
    })
    await expect(start).rejects.toMatchObject({ code: 'start_failed', isPortTaken: true })
  })

  it('that ends before it is ready fails the start with what it said', async () => {
    const start = supervisor.start({
      ...shell('a', 'echo no luck; exit 1'),
      restart: 'always',
      ready: untilSaid('never'),
    })
    await expect(start).rejects.toMatchObject({
      code: 'start_failed',
      output: 'no luck',
      process: 'a',
      isPortTaken: false,
    })
    expect(supervisor.get('a')?.state).toBe('failed')
  })

  it('that is not ready in time is killed', async () => {
    const start = supervisor.start({ ...shell('a', 'exec sleep 60'), ready: untilSaid('never'), readyTimeoutMs: 50 })
    await expect(start).rejects.toMatchObject({ code: 'start_timed_out' })
    expect(supervisor.get('a')?.pid).toBeUndefined()
  })

  it('that ignores the stop signal is killed after its time', async () => {
    const spec = { ...shell('a', `trap '' TERM; echo deaf; while :; do sleep 0.05; done`), ready: untilSaid('deaf') }
    const process = await supervisor.start({ ...spec, stopTimeoutMs: 50 })
    await process.stop()
    expect(events).toContainEqual(expect.objectContaining({ type: 'exited', exit: { code: null, signal: 'SIGKILL' } }))
  })

  it('can be stopped while it waits for its restart', async () => {
    const waiting = reaches('backing_off')
    const process = await supervisor.start({ ...shell('a', 'exit 1'), restart: 'always', backOff: { firstMs: 60_000 } })
    await waiting
    await process.stop()
    expect(process.state).toBe('stopped')
  })

  it('exchanges messages with us', async () => {
    const answer = eventOf('message')
    const lines = [`process.on('message', (m) => process.send({ got: m }, () => process.disconnect()))`]
    const process = await supervisor.start({ ...node('a', ...lines), ipc: true })
    expect(process.send({ n: 1 })).toBe(true)
    expect((await answer).message).toEqual({ got: { n: 1 } })
    await process.ended()
  })

  it('that does not exist fails', async () => {
    const failed = reaches('failed')
    await supervisor.start({ name: 'a', command: '/nowhere/program' })
    await failed
    expect(supervisor.get('a')?.log.tail(1)).toMatch(/not found|No such file/)
  })
})

describe('a supervisor', () => {
  it('stops the last added first', async () => {
    for (const name of ['first', 'second', 'third']) await supervisor.start(shell(name, 'exec sleep 60'))
    await supervisor.close()
    const ended = events.filter((event) => event.type === 'exited').map(({ name }) => name)
    expect(ended).toEqual(['third', 'second', 'first'])
  })

  it('takes no second process of a name that runs', async () => {
    await supervisor.start(shell('a', 'exec sleep 60'))
    expect(() => supervisor.add(shell('a', 'true'))).toThrow(/runs already/)
  })

  it('does not let a listener that throws disturb it', async () => {
    const warning = new Promise((resolve) => process.once('warning', resolve))
    const stop = supervisor.onEvent(() => {
      throw new Error('a bad listener')
    })
    const child = await supervisor.start(shell('a', 'exec sleep 60'))
    stop()
    expect(child.state).toBe('running')
    expect(await warning).toMatchObject({ message: 'a bad listener' })
  })
})

function untilSaid(text: string) {
  return async ({ output, signal }: { output: () => string; signal: AbortSignal }) => {
    while (!output().includes(text)) {
      signal.throwIfAborted()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}
