import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { aimdLimit, fixedLimit, gradientLimit, stepLimit } from '@sluice/flow'
import type { Limit } from '@sluice/flow'
import { count, option } from '../bench.ts'
import { percentile, simulate } from '../limits/simulation.ts'
import type { Phase, Window } from '../limits/simulation.ts'
import { publish, round } from '../report.ts'
import type { Row } from '../report.ts'
import { svg } from '../svg.ts'

export const title = 'limits of concurrency before a simulated backend that loses two thirds of its servers'

export const options = {
  seed: option('1', 'the same seed gives the same figures'),
  seconds: option('60', 'simulated length of each of the three phases'),
  load: option('150', 'offered load, in per cent of the full capacity'),
}

const serviceMs = 50
const fullServers = 60
const fewServers = 20
const unloadedP99Ms = serviceMs * Math.log(100)

const limits: Readonly<Record<string, () => number | Limit>> = {
  none: () => 1_000_000,
  'fixed 100': () => fixedLimit(100),
  step: () => stepLimit(),
  'AIMD, timeout 500 ms': () => aimdLimit({ timeoutMs: 500 }),
  Gradient2: () => gradientLimit(),
}

export function run(args: Readonly<Record<string, string>>): Promise<void> {
  const seed = count(args, 'seed')
  const seconds = count(args, 'seconds')
  const load = count(args, 'load')
  const offeredPerSecond = ((fullServers * 1_000) / serviceMs) * (load / 100)
  const phases = [fullServers, fewServers, fullServers].map((servers, index): Phase => {
    return { servers, untilMs: (index + 1) * seconds * 1_000 }
  })
  const runs = Object.entries(limits).map(([name, limit]) => {
    return { name, windows: simulate({ limit: limit(), phases, serviceMs, offeredPerSecond, seed }) }
  })
  const file = plot(runs)
  publish({
    name: 'limits',
    parameters: { seed, seconds, load, serviceMs, offeredPerSecond, unloadedP99Ms: round(unloadedP99Ms) },
    tables: Object.fromEntries(
      phases.map((phase, index) => [
        `${index + 1}. ${phase.servers} servers, ${round(offeredPerSecond)} requests a second offered`,
        runs.map(({ name, windows }) => row(name, windows, phase, phases[index - 1]?.untilMs ?? 0)),
      ]),
    ),
  })
  console.log(`plots in ${file}`)
  return Promise.resolve()
}

/** The figures of one phase, without its transient: until it settled, at most half of it. */
function row(name: string, windows: readonly Window[], { servers, untilMs }: Phase, fromMs: number): Row {
  const all = windows.filter(({ endMs }) => endMs > fromMs && endMs <= untilMs)
  const secondHalf = all.slice(all.length >> 1)
  const settledMs = settleMs(all, secondHalf) - fromMs
  const isSettled = settledMs <= (untilMs - fromMs) / 2
  const steady = isSettled ? all.filter(({ endMs }) => endMs > fromMs + settledMs) : secondHalf
  const latencies = steady.flatMap(({ latenciesMs }) => latenciesMs)
  const seconds = steady.length / 2
  const completed = steady.reduce((sum, window) => sum + window.completed, 0) / seconds
  const p99Ms = percentile(latencies, 0.99)
  return {
    limit: name,
    'in flight': round(mean(steady.map(({ inFlight }) => inFlight))),
    'p50 ms': round(percentile(latencies, 0.5)),
    'p99 ms': round(p99Ms),
    'p99 / unloaded': round(p99Ms / unloadedP99Ms),
    'completed/s': round(completed),
    '% of capacity': round((completed * 100) / ((servers * 1_000) / serviceMs)),
    'settled after s': isSettled ? round(settledMs / 1_000) : 'never',
  }
}

/** From when on the number in flight stays within a quarter (or 10) of its mean in the second half. */
function settleMs(all: readonly Window[], secondHalf: readonly Window[]): number {
  const target = mean(secondHalf.map(({ inFlight }) => inFlight))
  const isOff = ({ inFlight }: Window): boolean => Math.abs(inFlight - target) > Math.max(10, target / 4)
  return all.findLast(isOff)?.endMs ?? all[0]!.endMs - 500
}

function plot(runs: readonly { readonly name: string; readonly windows: readonly Window[] }[]): string {
  const curves = (value: (window: Window) => number) =>
    runs.map(({ name, windows }) => ({
      name,
      points: windows.map((window) => [window.endMs / 1_000, value(window)] as const),
    }))
  const folder = join(import.meta.dirname, '..', '..', 'results')
  mkdirSync(folder, { recursive: true })
  const drawing = svg([
    { title: 'In flight', yLabel: 'requests, over seconds', maxY: 300, curves: curves(({ inFlight }) => inFlight) },
    {
      title: 'p99 of half a second',
      yLabel: 'ms, over seconds',
      maxY: 2_000,
      curves: curves(({ latenciesMs }) => percentile(latenciesMs, 0.99) || 0),
    },
    {
      title: 'Completed',
      yLabel: 'a second, over seconds',
      maxY: 1_500,
      curves: curves(({ completed }) => completed * 2),
    },
  ])
  writeFileSync(join(folder, 'limits.svg'), drawing)
  return 'bench/results/limits.svg'
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
