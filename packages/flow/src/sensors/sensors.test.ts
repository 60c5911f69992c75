import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  cpuSensor,
  eventLoopSensor,
  ManualClock,
  memorySensor,
  PressureSensor,
  readResourceLimits,
  standardConditions,
} from '../index.ts'
import type { PressureChange } from '../index.ts'

describe('limits of control groups', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-cgroup-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function limits(files: Record<string, string>) {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    return readResourceLimits({ root: join(folder, 'fs'), self: join(folder, 'self') })
  }
  const machine = { memoryBytes: totalmem(), cpus: availableParallelism() }

  test('version 2: the smallest on the way up holds', () => {
    const files = {
      self: '0::/outer/inner\n',
      'fs/outer/memory.max': '1000000\n',
      'fs/outer/inner/memory.max': '2000000\n',
      'fs/outer/cpu.max': 'max 100000\n',
      'fs/outer/inner/cpu.max': '50000 100000\n',
    }
    expect(limits(files)).toEqual({ memoryBytes: 1_000_000, cpus: 0.5 })
  })

  test('version 2 at the root, as a container sees it', () => {
    const files = { self: '0::/\n', 'fs/memory.max': '4096\n', 'fs/cpu.max': '10000 100000\n' }
    expect(limits(files)).toEqual({ memoryBytes: 4_096, cpus: 0.1 })
  })

  test('version 1: each controller has a tree of its own', () => {
    const files = {
      self: '5:memory:/pod\n3:cpu,cpuacct:/pod\n',
      'fs/memory/pod/memory.limit_in_bytes': '8192\n',
      'fs/cpu,cpuacct/pod/cpu.cfs_quota_us': '25000\n',
      'fs/cpu,cpuacct/pod/cpu.cfs_period_us': '100000\n',
    }
    expect(limits(files)).toEqual({ memoryBytes: 8_192, cpus: 0.25 })
  })

  test('no limit and no groups leave the machine itself', () => {
    expect(limits({ self: '' })).toEqual(machine)
    const unlimited = {
      self: '0::/\n',
      'fs/memory.max': 'max\n',
      'fs/cpu.max': 'max 100000\n',
      'fs/memory/memory.limit_in_bytes': '9223372036854771712\n',
      'fs/cpu/cpu.cfs_quota_us': '-1\n',
      'fs/cpu/cpu.cfs_period_us': '100000\n',
    }
    expect(limits(unlimited)).toEqual(machine)
    expect(limits({ self: '0::/\n', 'fs/memory.max': '0\n', 'fs/cpu.max': '0 100000\n' })).toEqual(machine)
    expect(readResourceLimits().memoryBytes).toBeGreaterThan(0)
  })
})

test('CPU is the share of the quota since the last reading', () => {
  const clock = new ManualClock()
  let usedUs = 500_000
  const read = cpuSensor({ cpus: 2, usedUs: () => usedUs, clock })
  expect(read()).toBe(0)
  clock.advance(1_000)
  usedUs += 1_000_000
  expect(read()).toBe(0.5)
  expect(read()).toBe(0.5)
  clock.advance(1_000)
  expect(read()).toBe(0)
  clock.advance(500)
  usedUs += 250_000
  expect(read()).toBe(0.25)
  expect(() => cpuSensor({ cpus: 0 })).toThrow(expect.objectContaining({ field: 'cpus' }))
})

test('the CPU time of this process is that of the user and of the system together', () => {
  const clock = new ManualClock()
  const usage = vi.spyOn(process, 'cpuUsage').mockReturnValue({ user: 0, system: 0 })
  const read = cpuSensor({ cpus: 1, clock })
  usage.mockReturnValue({ user: 300_000, system: 200_000 })
  clock.advance(1_000)
  expect(read()).toBe(0.5)
  usage.mockRestore()
})

test('memory is the larger of resident and heap, each against its limit', () => {
  const use = { rssBytes: 50, heapBytes: 20, heapLimitBytes: 100 }
  expect(memorySensor({ limitBytes: 100, use: () => use })()).toBe(0.5)
  expect(memorySensor({ limitBytes: 100, use: () => ({ ...use, heapBytes: 90 }) })()).toBe(0.9)
  expect(() => memorySensor({ limitBytes: Number.NaN })).toThrow(expect.objectContaining({ field: 'limitBytes' }))
})

test('this process can be measured', () => {
  const { memoryBytes, cpus } = readResourceLimits()
  for (const read of [memorySensor({ limitBytes: memoryBytes }), cpuSensor({ cpus }), eventLoopSensor()]) {
    expect(read()).toBeGreaterThanOrEqual(0)
  }
})

test('event loop utilisation is of the time since the last reading', () => {
  const readings = [
    { idle: 0, active: 0, utilization: 0 },
    { idle: 10, active: 90, utilization: 0 },
    { idle: 110, active: 90, utilization: 0 },
  ]
  const read = eventLoopSensor(() => readings.shift()!)
  expect([read(), read()]).toEqual([0.9, 0])
})

function makeSensor() {
  const clock = new ManualClock()
  const values = { memory: 0, slots: 10 }
  const conditions = standardConditions({ memory: () => values.memory, slots: () => values.slots })
  const sensor = new PressureSensor({ conditions, clock })
  const changes: PressureChange<'memory' | 'slots'>[] = []
  sensor.on('change', (change) => changes.push(change))
  sensor.start()
  return { clock, values, sensor, changes }
}

test('a condition counts after it has held for five seconds, and is named', () => {
  const { clock, values, sensor, changes } = makeSensor()
  values.memory = 0.81
  clock.advance(5_999)
  expect(sensor.active).toEqual([])
  clock.advance(1)
  expect(sensor.active).toEqual(['memory'])
  expect(changes).toEqual([{ condition: 'memory', active: true, value: 0.81 }])
  expect(sensor.inspect()).toEqual({ memory: { value: 0.81, active: true }, slots: { value: 10, active: false } })
})

test('a spike is no pressure, nor is exactly the level', () => {
  const { clock, values, changes } = makeSensor()
  values.memory = 0.9
  clock.advance(5_000)
  values.memory = 0.8
  clock.advance(1_000)
  values.memory = 0.9
  clock.advance(5_000)
  values.memory = 0.8
  clock.advance(20_000)
  expect(changes).toEqual([])
})

test('it stops counting after five seconds at the lower level, not in between', () => {
  const { clock, values, sensor, changes } = makeSensor()
  values.memory = 0.9
  clock.advance(6_000)
  values.memory = 0.76
  clock.advance(60_000)
  expect(sensor.active).toEqual(['memory'])
  values.memory = 0.75
  clock.advance(5_000)
  expect(sensor.active).toEqual(['memory'])
  clock.advance(1_000)
  expect(sensor.active).toEqual([])
  expect(changes.map(({ active }) => active)).toEqual([true, false])
})

test('where little is bad, less than the level counts', () => {
  const { clock, values, sensor } = makeSensor()
  values.slots = 2
  clock.advance(10_000)
  expect(sensor.active).toEqual([])
  values.slots = 1
  clock.advance(6_000)
  expect(sensor.active).toEqual(['slots'])
  values.slots = 2
  clock.advance(10_000)
  expect(sensor.active).toEqual(['slots'])
  values.slots = 3
  clock.advance(6_000)
  expect(sensor.active).toEqual([])
})

test('a reading that throws is a warning and no pressure; the others are read all the same', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  const clock = new ManualClock()
  const broken = () => {
    throw new Error('no such file')
  }
  const conditions = { broken: { read: broken, onAt: 1, offAt: 0 }, fine: { read: () => 2, onAt: 1, offAt: 0 } }
  const sensor = new PressureSensor({ conditions, clock, holdMs: 0 })
  sensor.look()
  expect(sensor.active).toEqual(['fine'])
  expect(warn).toHaveBeenCalledOnce()
  warn.mockRestore()
})

test('close leaves no timer, and starting twice sets one', () => {
  const { clock, sensor } = makeSensor()
  sensor.start()
  expect(clock.pending).toBe(1)
  clock.advance(3_000)
  sensor.close()
  sensor.close()
  expect(clock.pending).toBe(0)
})

test.each([
  [{ holdMs: -1 }, 'holdMs'],
  [{ intervalMs: 0 }, 'intervalMs'],
  [{ conditions: { x: { read: undefined as never, onAt: 1, offAt: 0 } } }, 'x.read'],
  [{ conditions: { x: { read: () => 1, onAt: Number.NaN, offAt: 0 } } }, 'x.onAt'],
  [{ conditions: { x: { read: () => 1, onAt: 1, offAt: Infinity } } }, 'x.offAt'],
  [{ conditions: { x: { read: () => 1, onAt: 1, offAt: 1 } } }, 'x.offAt'],
])('%o is refused, naming %s', (options, field) => {
  expect(() => new PressureSensor<string>({ conditions: {}, ...options })).toThrow(expect.objectContaining({ field }))
})
