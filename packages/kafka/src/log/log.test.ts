import { ManualClock } from '@sluice/flow'
import { Emitter } from '@sluice/flow/internal'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { Log, type LogLine } from './log.ts'
import { parseLogger, type LogFacts, type LogLevel } from './logger.ts'

afterEach(() => void vi.restoreAllMocks())

function recorder() {
  const lines: { level: LogLevel; message: string; facts: LogFacts }[] = []
  const at = (level: LogLevel) => (facts: LogFacts, message: string) => lines.push({ level, message, facts })
  return { lines, logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') } }
}

const trouble = (kind = 'deadLettered'): LogLine => {
  return { kind, level: 'warn', message: 'a record failed', facts: { group: 'g' }, warns: true }
}

describe('without a logger', () => {
  test('trouble becomes a process warning, at most once a minute for each kind, and the next one counts the others', () => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const clock = new ManualClock()
    const log = new Log(undefined, clock)
    for (let i = 0; i < 5; i++) log.write(trouble())
    log.write(trouble('clusterLost readers'))
    expect(warning.mock.calls).toEqual([
      ['group g: a record failed', { code: 'SLUICE_DEAD_LETTERED' }],
      ['group g: a record failed', { code: 'SLUICE_CLUSTER_LOST' }],
    ])
    clock.advance(60_000)
    log.write(trouble())
    expect(warning.mock.lastCall![0]).toBe('group g: a record failed (4 more since the last warning of this kind)')
  })

  test('a line that is no trouble says nothing', () => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    new Log(undefined, new ManualClock()).write({ ...trouble(), warns: false })
    expect(warning).not.toHaveBeenCalled()
  })
})

describe('what may pass by itself', () => {
  const brief: LogLine = { ...trouble('error fetch'), isBrief: true }

  test('is trouble only where it lasts for 5 s', () => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const clock = new ManualClock()
    const log = new Log(undefined, clock)
    for (let ms = 0; ms < 5_000; ms += 500) {
      log.write(brief)
      clock.advance(500)
    }
    expect(warning).not.toHaveBeenCalled()
    log.write(brief)
    expect(warning).toHaveBeenCalledTimes(1)
  })

  test('begins anew after half a minute, and is a debug line for a logger meanwhile', () => {
    const clock = new ManualClock()
    const { lines, logger } = recorder()
    const log = new Log(logger, clock)
    log.write(brief)
    clock.advance(30_001)
    log.write(brief)
    clock.advance(6_000)
    log.write(brief)
    expect(lines.map(({ level }) => level)).toEqual(['debug', 'debug', 'warn'])
  })
})

describe('with a logger', () => {
  test('trouble is logged once a second for each kind, with the number that was left out, and never as a warning', () => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const clock = new ManualClock()
    const { lines, logger } = recorder()
    const log = new Log(logger, clock)
    for (let i = 0; i < 3; i++) log.write(trouble())
    clock.advance(1_000)
    log.write(trouble())
    expect(lines).toEqual([
      { level: 'warn', message: 'a record failed', facts: { group: 'g' } },
      { level: 'warn', message: 'a record failed', facts: { group: 'g', leftOut: 2 } },
    ])
    expect(warning).not.toHaveBeenCalled()
  })

  test('what is no trouble is logged each time', () => {
    const { lines, logger } = recorder()
    const log = new Log(logger, new ManualClock())
    for (let i = 0; i < 3; i++) log.write({ ...trouble(), level: 'info' })
    expect(lines).toHaveLength(3)
  })

  test('that throws breaks nothing', () => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const fail = (): never => {
      throw new Error('disk full')
    }
    const log = new Log({ debug: fail, info: fail, warn: fail, error: fail }, new ManualClock())
    log.write(trouble())
    expect(warning).toHaveBeenCalledWith(expect.stringContaining('disk full'), { code: 'SLUICE_LOGGER' })
  })

  test('a console gets the message first', () => {
    const warned = vi.spyOn(console, 'warn').mockImplementation(() => {})
    new Log(parseLogger(console), new ManualClock()).write(trouble())
    expect(warned).toHaveBeenCalledWith('a record failed', { group: 'g' })
  })

  test.each([[{}], [null], ['pino'], [{ warn() {}, error() {}, info() {} }]])('%j is none', (given) => {
    expect(() => parseLogger(given as never)).toThrow(/logger .* debug, info, warn, error/)
  })
})

describe('the events of an emitter', () => {
  type Events = {
    failed: { readonly topic: string; readonly key: string; readonly error: Error; readonly all: number[] }
  }
  const failed: Events['failed'] = { topic: 'orders', key: 'secret', error: new Error('no'), all: [1, 2] }
  const lines = {
    failed: { level: 'warn', warns: true, say: ({ topic }: Events['failed']) => `${topic} failed` },
  } as const

  test('are logged with short facts, without keys of records', () => {
    const { lines: logged, logger } = recorder()
    const log = new Log(logger, new ManualClock())
    new Emitter<Events>(log.observer<Events>(lines, { group: 'g' })).emit('failed', failed)
    const facts = { event: 'failed', group: 'g', topic: 'orders', err: failed.error, all: 2 }
    expect(logged).toEqual([{ level: 'warn', message: 'orders failed', facts }])
  })

  test.each([0, 1])('become warnings only where nobody listens (listeners: %i)', (listeners) => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const events = new Emitter<Events>(new Log(undefined, new ManualClock()).observer<Events>(lines, {}))
    if (listeners > 0) events.on('failed', () => {})
    events.emit('failed', failed)
    expect(warning).toHaveBeenCalledTimes(1 - listeners)
  })
})
