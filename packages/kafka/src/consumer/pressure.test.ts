import { ManualClock } from '@sluice/flow'
import { Emitter } from '@sluice/flow/internal'
import { expect, test } from 'vitest'
import type { ConsumerEvents } from './events.ts'
import { HandlingTimes } from './dispatch/handling-times.ts'
import { Pressure } from './pressure.ts'

function open(maxPollRecords = 100) {
  const clock = new ManualClock()
  const events = new Emitter<ConsumerEvents>()
  const heard: ConsumerEvents['pressure'][] = []
  events.on('pressure', (event) => heard.push(event))
  const values = { memory: 0, cpu: 0, slots: 10, handlingMs: 0 }
  const shares: number[] = []
  const pressure = new Pressure({
    clock,
    events,
    maxPollRecords,
    freeSlots: () => values.slots,
    meanHandlingMs: () => values.handlingMs,
    onBudgetShare: (share) => shares.push(share),
    readings: { memory: () => values.memory, cpu: () => values.cpu },
  })
  pressure.start()
  return { clock, values, shares, heard, pressure }
}

test.each([
  ['memory', { memory: 0.81 }, { memory: 0.8 }],
  ['cpu', { cpu: 0.91 }, { cpu: 0.9 }],
  ['handlingTime', { handlingMs: 5_001 }, { handlingMs: 5_000 }],
] as const)('%s counts after 5 s, is named, and shrinks batches and budget', (name, over, at) => {
  const { clock, values, shares, heard, pressure } = open()
  Object.assign(values, at)
  clock.advance(20_000)
  expect(heard).toEqual([])
  Object.assign(values, over)
  clock.advance(5_000)
  expect(pressure.inspect()).toMatchObject({ active: [], pollRecords: 100, budgetShare: 1 })
  clock.advance(1_000)
  expect(heard).toEqual([{ condition: name, active: true, value: Object.values(over)[0], all: [name] }])
  expect(pressure.inspect()).toMatchObject({ active: [name], pollRecords: 50, budgetShare: 0.5 })
  clock.advance(10_000)
  // To a tenth, never to nothing.
  expect(pressure.pollRecords).toBe(10)
  expect(shares).toEqual([0.5, 0.25, 0.12, 0.1])
})

test('it ends at the lower level after 5 s, and then what was given up comes back by ten', () => {
  const { clock, values, shares, heard, pressure } = open()
  values.memory = 0.9
  clock.advance(7_000)
  expect(pressure.pollRecords).toBe(25)
  values.memory = 0.76
  clock.advance(30_000)
  expect(pressure.inspect().active).toEqual(['memory'])
  values.memory = 0.7
  clock.advance(5_000)
  expect(pressure.inspect().active).toEqual(['memory'])
  shares.length = 0
  clock.advance(1_000)
  expect(heard.at(-1)).toEqual({ condition: 'memory', active: false, value: 0.7, all: [] })
  expect(pressure.inspect()).toMatchObject({ active: [], pollRecords: 20, budgetShare: 0.2 })
  clock.advance(60_000)
  expect(pressure.inspect()).toMatchObject({ pollRecords: 100, budgetShare: 1 })
  expect(shares).toHaveLength(9)
})

test('busy slots are told and change nothing', () => {
  const { clock, values, shares, heard, pressure } = open()
  values.slots = 1
  clock.advance(20_000)
  expect(heard).toEqual([{ condition: 'slots', active: true, value: 1, all: ['slots'] }])
  expect(pressure.pollRecords).toBe(100)
  expect(shares).toEqual([])
})

test('a few records at once are not made more, and many recover within a minute', () => {
  const few = open(4)
  few.values.cpu = 1
  few.clock.advance(20_000)
  expect(few.pressure.inspect()).toMatchObject({ pollRecords: 4, budgetShare: 0.1 })
  const many = open(5_000)
  many.values.cpu = 1
  many.clock.advance(30_000)
  expect(many.pressure.pollRecords).toBe(10)
  many.values.cpu = 0
  many.clock.advance(60_000)
  expect(many.pressure.pollRecords).toBe(5_000)
})

test('stop leaves no timer', () => {
  const { clock, pressure } = open()
  pressure.stop()
  expect(clock.pending).toBe(0)
})

test('the process can be read', () => {
  const clock = new ManualClock()
  const unused = () => 0
  const callbacks = { freeSlots: () => 10, meanHandlingMs: unused, onBudgetShare: unused }
  const pressure = new Pressure({ clock, events: new Emitter(), maxPollRecords: 1, ...callbacks })
  pressure.start()
  clock.advance(1_000)
  const { memory, cpu } = pressure.inspect().conditions
  expect(memory.value).toBeGreaterThan(0)
  expect(cpu.value).toBeGreaterThanOrEqual(0)
})

test('the mean of handling times is of the last hundred, and of what runs longer already', () => {
  const times = new HandlingTimes()
  expect(times.meanMs()).toBe(0)
  expect(times.meanMs([8_000, 4_000])).toBe(6_000)
  for (let ms = 0; ms < 1_000; ms++) times.record(1_000)
  for (let call = 0; call < 50; call++) times.record(3_000)
  expect(times.meanMs()).toBe(2_000)
  expect(times.meanMs([1_999, 2_000])).toBe(2_000)
  for (let call = 0; call < 100; call++) times.record(10)
  expect(times.meanMs()).toBe(10)
})
