import { styleText } from 'node:util'
import type { View } from './board.ts'
import { clockText } from '../duration.ts'

const BAR_WIDTH = 40
type Paint = (style: Parameters<typeof styleText>[0], text: string) => string

export interface RenderOptions {
  readonly columns: number
  readonly color: boolean
}

/** The live view, line by line, none wider than the terminal. */
export function render(view: View, { columns, color }: RenderOptions): string[] {
  const paint: Paint = (style, text) => (color ? styleText(style, text, { validateStream: false }) : text)
  const fit = (line: string): string => (line.length > columns ? line.slice(0, columns) : line)
  const table = view.processes.map((one) => {
    const pid = one.pid === null ? '-' : String(one.pid)
    const line = fit(
      `  ${one.name.padEnd(14)} ${one.state.padEnd(12)} ${pid.padEnd(8)} ${String(one.restarts).padEnd(9)} ${one.note ?? ''}`,
    )
    return paint(stateStyle(one.state), line)
  })
  const notes = view.notes.map((note) => paint('yellow', fit(`  ${note}`)))
  return [
    paint('bold', fit(`Sluice demo  ${clockText(view.upMs)}  ${view.phase}`)),
    '',
    paint('dim', fit(`  ${'process'.padEnd(14)} ${'state'.padEnd(12)} ${'pid'.padEnd(8)} restarts`)),
    ...table,
    '',
    ...figures(view).map(fit),
    paint(view.queue?.throttled ? 'red' : 'green', fit(queueLine(view.queue))),
    ...(notes.length > 0 ? ['', ...notes] : []),
  ]
}

/** One line, where there is no terminal. */
export function renderLine(view: View): string {
  const { orders, products, queue, cache, rows } = view
  return [
    clockText(view.upMs),
    view.phase,
    `orders ${count(orders.sentPerSecond)}/s (${count(orders.sent)})`,
    `products ${count(products.sentPerSecond)}/s (${count(products.sent)})`,
    `queue ${queue ? `${queue.records}/${queue.maxRecords}${queue.throttled ? ' throttled' : ''}` : '-'}`,
    `lag ${maybe(view.lag)}`,
    `cache ${maybe(cache?.users)}+${maybe(cache?.products)}`,
    `rows ${maybe(rows?.users)} users ${maybe(rows?.products)} products ${maybe(rows?.orders)} orders`,
    `restarts ${view.restarts}`,
  ].join('  ')
}

function figures({ orders, products, repeats, lag, cache, rows }: View): string[] {
  const flow = (name: string, { sent, sentPerSecond, stored, storedPerSecond }: View['orders']): string =>
    `  ${name.padEnd(9)} sent ${count(sentPerSecond).padStart(7)}/s ${count(sent).padStart(11)}` +
    `   stored ${count(storedPerSecond).padStart(7)}/s ${count(stored).padStart(11)}`
  return [
    flow('orders', orders),
    flow('products', products),
    `  lag       ${maybe(lag)} records${repeats > 0 ? `, ${count(repeats)} handled again after a restart` : ''}`,
    `  cache     ${maybe(cache?.users)} users, ${maybe(cache?.products)} products`,
    `  rows      ${maybe(rows?.users)} users, ${maybe(rows?.products)} products, ${maybe(rows?.orders)} orders`,
  ]
}

/** `[#####|.......!..] 312 of 1,000`: the low watermark is |, the high one !. */
function queueLine(queue: View['queue']): string {
  if (!queue) return '  queue     unknown'
  const at = (records: number): number => Math.min(BAR_WIDTH - 1, Math.floor((records / queue.maxRecords) * BAR_WIDTH))
  const filled = Math.ceil((queue.records / queue.maxRecords) * BAR_WIDTH)
  const cells = Array.from({ length: BAR_WIDTH }, (_, index): string => (index < filled ? '#' : '.'))
  cells[at(queue.lowWatermark)] = '|'
  cells[at(queue.highWatermark)] = '!'
  const state = queue.throttled ? 'throttled' : 'flowing'
  return `  queue     [${cells.join('')}] ${count(queue.records)} of ${count(queue.maxRecords)}, ${state}`
}

function stateStyle(state: string): Parameters<typeof styleText>[0] {
  if (state === 'running') return 'green'
  if (state === 'failed' || state === 'backing_off') return 'red'
  return 'dim'
}

function maybe(value: number | undefined): string {
  return value === undefined ? '-' : count(value)
}

function count(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: value < 10 ? 1 : 0 })
}
