import type { ServiceReport } from '@sluice/commerce'
import { describe, expect, it } from 'vitest'
import { Board } from './board.ts'
import { render, renderLine } from './render.ts'

const queue = { records: 850, maxRecords: 1_000, highWatermark: 800, lowWatermark: 200, throttled: true }
const generator = (orders: number): ServiceReport => ({
  service: 'generator',
  state: 'running',
  counters: { orders, products: orders / 10 },
  queue,
})
const consumer = (orders: number): ServiceReport => ({
  service: 'consumer',
  state: 'running',
  counters: { orders, products: orders / 10, repeats: 7 },
  lag: 12,
  rows: { users: 10_000, products: 20_100, orders },
})
const status = { name: 'generator', pid: 42, state: 'running', restarts: 1 } as const
const look = { columns: 100, color: false }

function boardAt(nowMs: number): Board {
  const board = new Board()
  board.report(generator(0), nowMs - 1_000)
  board.report(generator(2_000), nowMs)
  board.report(consumer(1_900), nowMs)
  return board
}

describe('the live view', () => {
  it('shows rates, totals, queue, lag and rows', () => {
    const text = render(boardAt(10_000).view([status], 'running', 65_000, 10_000), look).join('\n')
    expect(text).toContain('00:01:05')
    expect(text).toMatch(/orders +sent +2,000\/s +2,000 +stored/)
    expect(text).toContain('850 of 1,000, throttled')
    expect(text).toMatch(/lag +12 records, 7 handled again/)
    expect(text).toContain('10,000 users, 20,100 products, 1,900 orders')
  })

  it('marks both watermarks in the bar of the queue', () => {
    const line = render(boardAt(10_000).view([], '', 0, 10_000), look).find((one) => one.includes('queue'))
    const bar = /\[(.*)\]/.exec(line ?? '')?.[1] ?? ''
    expect(bar.indexOf('|') / bar.length).toBeCloseTo(0.2, 1)
    expect(bar.indexOf('!') / bar.length).toBeCloseTo(0.8, 1)
  })

  it('does not believe a report that is too old', () => {
    const view = boardAt(10_000).view([], '', 0, 13_001)
    expect(view).toMatchObject({ queue: undefined, lag: undefined, orders: { sentPerSecond: 0, sent: 2_000 } })
  })

  it('never writes past the width of the terminal', () => {
    const board = boardAt(10_000)
    board.event({ type: 'restarting', name: 'a'.repeat(200), delayMs: 1, restarts: 1 }, '12:00:00')
    const lines = render(board.view([status], 'a phase '.repeat(30), 0, 10_000), { columns: 40, color: false })
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(40)
  })

  it('is one line where there is no terminal', () => {
    const line = renderLine(boardAt(10_000).view([status], 'running', 0, 10_000))
    expect(line).not.toContain('\n')
    expect(line).toContain('orders 2,000/s (2,000)')
    expect(line).toContain('queue 850/1000 throttled')
    expect(line).toContain('restarts 1')
  })

  it('says that a crashed process is started again', () => {
    const board = new Board()
    const exit = { code: null, signal: 'SIGKILL' } as const
    board.event({ type: 'exited', name: 'consumer', pid: 7, exit, asked: false }, '12:00:00')
    board.event({ type: 'restarting', name: 'consumer', delayMs: 200, restarts: 1 }, '12:00:00')
    expect(board.view([], '', 0, 0).notes).toEqual([
      '12:00:00 consumer (pid 7) ended by SIGKILL',
      '12:00:00 consumer is started again in 200 ms (restart 1)',
    ])
  })
})
