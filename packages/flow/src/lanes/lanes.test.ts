import { expect, test } from 'vitest'
import { Lanes, ManualClock } from '../index.ts'
import { laneOf } from '../internal.ts'
import type { Order } from '../internal.ts'
import type { LanesOptions, Priority, StuckHead } from '../index.ts'

function makeLanes(options: LanesOptions<string> = {}) {
  const clock = new ManualClock()
  return { clock, lanes: new Lanes<string>({ clock, ...options }) }
}

function takeAll(lanes: Lanes<string>): string[] {
  const taken: string[] = []
  for (let task = lanes.take(); task; task = lanes.take()) taken.push(task.item)
  return taken
}

test('a lane gives one item at a time, in order, and others go on meanwhile', () => {
  const { lanes } = makeLanes()
  for (const [item, lane] of [
    ['a1', 'a'],
    ['a2', 'a'],
    ['b1', 'b'],
    ['free', undefined],
  ] as const)
    lanes.push(item, { lane })
  const first = lanes.take()!
  expect(first).toMatchObject({ item: 'a1', lane: 'a', attempt: 1, enteredMs: 0, startedMs: 0 })
  expect(takeAll(lanes)).toEqual(['b1', 'free'])
  lanes.done(first)
  expect(takeAll(lanes)).toEqual(['a2'])
})

test('items without a lane wait for nobody', () => {
  const { lanes } = makeLanes()
  for (const item of ['1', '2', '3']) lanes.push(item)
  expect(takeAll(lanes)).toEqual(['1', '2', '3'])
})

test('the most important lane goes first, the oldest item among equals', () => {
  const { lanes } = makeLanes()
  for (const priority of ['low', 'medium', 'high', 'high'] as Priority[]) lanes.push(priority, { priority })
  expect(takeAll(lanes)).toEqual(['high', 'high', 'medium', 'low'])
})

test('an important item makes those before it in its lane as important', () => {
  const { lanes } = makeLanes()
  lanes.push('other')
  lanes.push('before', { lane: 1, priority: 'low' })
  lanes.push('urgent', { lane: 1, priority: 'high' })
  const before = lanes.take()!
  expect(before.item).toBe('before')
  lanes.done(before)
  expect(takeAll(lanes)).toEqual(['urgent', 'other'])
})

test('an item that has waited for the ageing time goes before everything that came later', () => {
  const { lanes, clock } = makeLanes({ ageingMs: 100 })
  lanes.push('low', { priority: 'low' })
  clock.advance(99)
  lanes.push('high 1', { priority: 'high' })
  lanes.push('high 2', { priority: 'high' })
  expect(lanes.take()!.item).toBe('high 1')
  clock.advance(1)
  expect(takeAll(lanes)).toEqual(['low', 'high 2'])
})

test('a task that is to run again keeps its lane and gives its slot back until its delay has passed', () => {
  const heard: number[] = []
  const { lanes, clock } = makeLanes({ onReady: () => heard.push(clock.monotonicMs()) })
  lanes.push('a1', { lane: 'a' })
  lanes.push('a2', { lane: 'a' })
  lanes.again(lanes.take()!, 50)
  expect([lanes.running, lanes.ready, lanes.waiting, lanes.inspect().held]).toEqual([0, 0, 2, 1])
  clock.advance(49)
  expect(lanes.take()).toBeUndefined()
  clock.advance(1)
  const second = lanes.take()!
  expect(second).toMatchObject({ item: 'a1', attempt: 2 })
  lanes.again(second)
  expect(lanes.take()).toMatchObject({ item: 'a1', attempt: 3 })
  expect(heard).toEqual([0, 50, 50])
})

test('a task that is to run again may come back as another item', () => {
  const { lanes } = makeLanes()
  lanes.push('a1', { lane: 'a', priority: 'high' })
  lanes.push('a2', { lane: 'a' })
  lanes.again(lanes.take()!, 0, 'the rest of a1')
  const again = lanes.take()!
  expect(again).toMatchObject({ item: 'the rest of a1', attempt: 2, priority: 'high' })
  lanes.done(again)
  expect(takeAll(lanes)).toEqual(['a2'])
})

test('what is started runs at once and keeps its lane busy', () => {
  const { lanes, clock } = makeLanes({ stuckAfterMs: 10 })
  lanes.push('waits', { lane: 'b' })
  const started = lanes.start('runs', { lane: 'a', priority: 'low' })
  lanes.push('behind', { lane: 'a', priority: 'high' })
  expect([lanes.running, lanes.waiting, lanes.size]).toEqual([1, 2, 2])
  expect(takeAll(lanes)).toEqual(['waits'])
  clock.advance(10)
  expect(lanes.stuck()).toContainEqual({ item: 'runs', lane: 'a', runningMs: 10, attempt: 1 })
  lanes.done(started)
  expect(takeAll(lanes)).toEqual(['behind'])
})

test('a boosted lane goes first once', () => {
  const { lanes } = makeLanes()
  lanes.push('high', { priority: 'high' })
  lanes.push('low 1', { lane: 'slow', priority: 'low' })
  lanes.push('low 2', { lane: 'slow', priority: 'low' })
  lanes.boost('slow')
  lanes.boost('unknown')
  expect(lanes.inspect().ready).toEqual({ high: 2, medium: 0, low: 0 })
  expect(lanes.take()!.item).toBe('high')
  const boosted = lanes.take()!
  lanes.push('medium')
  lanes.done(boosted)
  expect(takeAll(lanes)).toEqual(['medium', 'low 2'])
})

test('what is removed does not run, what runs goes on, and an emptied lane is forgotten', () => {
  const { lanes } = makeLanes()
  for (const item of ['a1', 'a2', 'a3', 'a4']) lanes.push(item, { lane: 'a' })
  lanes.push('b1', { lane: 'b' })
  const running = lanes.take()!
  expect(lanes.remove((item) => item !== 'a3')).toEqual(['a2', 'a4', 'b1'])
  expect(lanes.inspect()).toMatchObject({ lanes: 1, running: 1, waiting: { medium: 1 } })
  lanes.done(running)
  lanes.done(lanes.take()!)
  expect(lanes.inspect()).toMatchObject({ lanes: 0, running: 0, waiting: { medium: 0 }, oldestWaitMs: 0 })
})

test('removing a held head cancels its delay and lets the next one go', () => {
  const { lanes, clock } = makeLanes()
  lanes.push('a1', { lane: 'a' })
  lanes.push('a2', { lane: 'a' })
  lanes.again(lanes.take()!, 1_000)
  expect(lanes.remove((item) => item === 'a1')).toEqual(['a1'])
  expect(clock.pending).toBe(0)
  expect(takeAll(lanes)).toEqual(['a2'])
})

test('removing the important item takes its importance from the lane', () => {
  const { lanes } = makeLanes()
  lanes.push('low', { lane: 'a', priority: 'low' })
  lanes.push('high', { lane: 'a', priority: 'high' })
  lanes.push('medium')
  lanes.remove((item) => item === 'high')
  expect(takeAll(lanes)).toEqual(['medium', 'low'])
})

test('a stuck head is told once, by lane and time, and can be listed', () => {
  const told: StuckHead<string>[] = []
  const { lanes, clock } = makeLanes({ stuckAfterMs: 100, onStuck: (stuck) => told.push(stuck) })
  lanes.push('slow', { lane: 'a' })
  lanes.push('later', { lane: 'b' })
  const slow = lanes.take()!
  clock.advance(60)
  const later = lanes.take()!
  clock.advance(39)
  expect(told).toEqual([])
  clock.advance(1)
  expect(told).toEqual([{ item: 'slow', lane: 'a', runningMs: 100, attempt: 1 }])
  expect(lanes.stuck(40).map(({ item }) => item)).toEqual(['slow', 'later'])
  expect(lanes.stuck().map(({ item }) => item)).toEqual(['slow'])
  clock.advance(60)
  expect(told.map(({ item }) => item)).toEqual(['slow', 'later'])
  expect(lanes.inspect()).toMatchObject({ longestRunMs: 160 })
  lanes.done(slow)
  expect(lanes.inspect()).toMatchObject({ longestRunMs: 100 })
  lanes.done(later)
  expect(lanes.inspect()).toMatchObject({ longestRunMs: 0 })
  clock.advance(1_000)
  expect([told.length, clock.pending]).toEqual([2, 0])
})

test('each of several stuck heads is told after its own time, to the millisecond', () => {
  const told: [string, number][] = []
  const { lanes, clock } = makeLanes({
    stuckAfterMs: 10,
    onStuck: ({ item }) => told.push([item, clock.monotonicMs()]),
  })
  for (const item of ['first', 'second']) {
    lanes.push(item)
    lanes.take()
    clock.advance(1)
  }
  clock.advance(20)
  expect(told).toEqual([
    ['first', 10],
    ['second', 11],
  ])
})

test('an item that ends in time leaves no timer, whatever runs later', () => {
  const { lanes, clock } = makeLanes({ stuckAfterMs: 100, onStuck: () => expect.unreachable() })
  for (let i = 0; i < 2; i++) {
    lanes.push('quick')
    const task = lanes.take()!
    expect(clock.pending).toBe(1)
    clock.advance(60)
    lanes.done(task)
    expect(clock.pending).toBe(0)
  }
})

test('the same item stuck in a later attempt is told again', () => {
  const told: number[] = []
  const { lanes, clock } = makeLanes({ stuckAfterMs: 10, onStuck: ({ attempt }) => told.push(attempt) })
  lanes.push('slow')
  for (let attempt = 1; attempt <= 2; attempt++) {
    const task = lanes.take()!
    clock.advance(10)
    lanes.again(task)
  }
  expect(told).toEqual([1, 2])
})

test('a task is done once, and only while it runs', () => {
  const { lanes } = makeLanes()
  lanes.push('a')
  const task = lanes.take()!
  lanes.done(task)
  expect(() => lanes.done(task)).toThrow('The task is not running')
  expect(() => lanes.again(task)).toThrow('The task is not running')
})

test('after close no timer is left, nothing comes in, and what is inside can be taken at once', () => {
  const { lanes, clock } = makeLanes({ onStuck: () => {} })
  lanes.push('held', { lane: 'a' })
  lanes.push('runs', { lane: 'b' })
  lanes.again(lanes.take()!, 1_000)
  const runs = lanes.take()!
  lanes.close()
  expect(clock.pending).toBe(0)
  expect(lanes.take()).toMatchObject({ item: 'held', attempt: 2 })
  lanes.again(runs, 1_000)
  expect(clock.pending).toBe(0)
  expect(lanes.take()).toMatchObject({ item: 'runs' })
  expect(() => lanes.push('more')).toThrow('closed')
})

test.each([
  ['partition', [7, 7, 7]],
  ['key', ['7:a', '7:', undefined]],
  ['unordered', [undefined, undefined, undefined]],
] as const)('order by %s puts items into the lanes %j', (order, expected) => {
  const items = [
    { partition: 7, key: 'a' },
    { partition: 7, key: '' },
    { partition: 7, key: null },
  ]
  expect(items.map(laneOf(order))).toEqual(expected)
})

test('settings and arguments that make no sense are refused by name', () => {
  expect(() => makeLanes({ ageingMs: -1 })).toThrow(expect.objectContaining({ field: 'ageingMs' }))
  expect(() => makeLanes({ stuckAfterMs: 0 })).toThrow(expect.objectContaining({ field: 'stuckAfterMs' }))
  expect(() => laneOf('keys' as Order)).toThrow(expect.objectContaining({ field: 'order' }))
  const { lanes } = makeLanes()
  expect(() => lanes.push('x', { priority: 'urgent' as Priority })).toThrow(
    expect.objectContaining({ field: 'priority' }),
  )
  expect(() => lanes.start('x', { priority: 'urgent' as Priority })).toThrow(
    expect.objectContaining({ field: 'priority' }),
  )
  lanes.push('x')
  const task = lanes.take()!
  expect(() => lanes.again(task, Number.NaN)).toThrow(expect.objectContaining({ field: 'delayMs' }))
  lanes.done(task)
})

test('a choice that throws takes nothing out', () => {
  const { lanes } = makeLanes()
  lanes.push('a', { lane: 1 })
  lanes.push('b', { lane: 2 })
  const choose = (item: string): boolean => {
    if (item === 'b') throw new Error('undecided')
    return true
  }
  expect(() => lanes.remove(choose)).toThrow('undecided')
  expect([lanes.waiting, lanes.ready]).toEqual([2, 2])
  expect(takeAll(lanes)).toEqual(['a', 'b'])
})

test('while fewer high items run than said, a high one goes before any that has waited longer', () => {
  const clock = new ManualClock()
  const lanes = new Lanes<string>({ clock, highFirstBelow: () => 2 })
  for (const old of ['old 1', 'old 2', 'old 3']) lanes.push(old)
  clock.advance(60_000)
  for (const high of ['high 1', 'high 2', 'high 3']) lanes.push(high, { priority: 'high' })
  const take = () => lanes.take()!
  expect(lanes.favoursHigh).toBe(true)
  const [first, second] = [take(), take()]
  expect([first.item, second.item]).toEqual(['high 1', 'high 2'])
  expect(lanes.favoursHigh).toBe(false)
  expect(take().item).toBe('old 1')
  lanes.done(first)
  expect(take().item).toBe('high 3')
  lanes.again(second)
  expect(take().item).toBe('high 2')
})

test('a lane without a key can be boosted by what was pushed into it', () => {
  const lanes = new Lanes<string>({ clock: new ManualClock() })
  lanes.push('first')
  const second = lanes.push('second', { priority: 'low' })
  lanes.boost(second)
  expect(lanes.take()!.item).toBe('second')
})
