import type { WatchedGate } from './gate-watch.ts'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, totalmem } from 'node:os'
import { join } from 'node:path'

export type Cell = string | number | boolean | null
export type Row = Readonly<Record<string, Cell>>

export interface Report {
  /** File name in bench/results, without its ending. */
  readonly name: string
  readonly parameters: Readonly<Record<string, Cell>>
  /** What is printed: one table a title. */
  readonly tables: Readonly<Record<string, readonly Row[]>>
  /** Whatever else belongs to the figures: single rounds, samples. */
  readonly details?: unknown
}

const benchFolder = join(import.meta.dirname, '..')

/** The middle value; the mean of the two middle ones of an even number. NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Three digits are what such measurements can carry. */
export function round(value: number): number {
  return value >= 1_000 ? Math.round(value) : Number(value.toPrecision(3))
}

/** What is promised of a figure, and whether it was kept. */
export function promise(what: string, seen: number, relation: '<=' | '>=', bound: number) {
  const holds = relation === '<=' ? seen <= bound : seen >= bound
  return { what, seen: round(seen), bound: `${relation} ${Math.round(bound)}`, holds: holds ? 'yes' : 'no' }
}

/** Of a consumer whose gate and memory were watched. */
export function gateRow({ handled, maxGateBytes, maxGateRecords, memory }: WatchedGate & { handled: number }): Row {
  return {
    handled,
    'most in the gate, records': maxGateRecords,
    MiB: Math.round(maxGateBytes / 2 ** 20),
    'RSS MiB, first': memory.firstMiB,
    highest: memory.maxMiB,
    growth: memory.growthMiB,
  }
}

/** Prints the tables and writes bench/results/NAME.json with the machine, the versions and the commit. */
export function publish(report: Report): void {
  for (const [title, rows] of Object.entries(report.tables)) {
    console.log(`\n${title}`)
    console.log(table(rows))
  }
  const file = join(benchFolder, 'results', `${report.name}.json`)
  mkdirSync(join(benchFolder, 'results'), { recursive: true })
  const { name, ...figures } = report
  const written = {
    bench: name,
    date: new Date().toISOString(),
    commit: commit(),
    machine: machine(),
    versions: versions(),
  }
  writeFileSync(file, `${JSON.stringify({ ...written, ...figures }, null, 2)}\n`)
  console.log(`\nwritten to bench/results/${name}.json`)
}

/** Columns by the keys of the first row, numbers to the right. */
function table(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {})
  const lines = [columns, ...rows.map((row) => columns.map((column) => text(row[column] ?? null)))]
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]!.length)))
  const aligned = lines.map((line, number) =>
    line.map((cell, index) => {
      const isNumber = number > 0 && typeof rows[number - 1]![columns[index]!] === 'number'
      return isNumber ? cell.padStart(widths[index]!) : cell.padEnd(widths[index]!)
    }),
  )
  return aligned.map((line) => `  ${line.join('  ').trimEnd()}`).join('\n')
}

function text(cell: Cell): string {
  if (cell === null) return '-'
  return typeof cell === 'number' ? cell.toLocaleString('en-US', { maximumFractionDigits: 3 }) : String(cell)
}

function machine(): Record<string, Cell> {
  const [cpu] = cpus()
  const memoryGiB = Math.round(totalmem() / 2 ** 30)
  return { cpu: cpu?.model ?? 'unknown', cores: availableParallelism(), memoryGiB, platform: process.platform }
}

function versions(): Record<string, string> {
  const { dependencies, version } = JSON.parse(readFileSync(join(benchFolder, 'package.json'), 'utf8')) as {
    version: string
    dependencies: Record<string, string>
  }
  const libraries = Object.entries(dependencies).filter(([name]) => !name.startsWith('@sluice/'))
  return { node: process.version, sluice: version, ...Object.fromEntries(libraries) }
}

function commit(): string {
  const git = (...args: string[]): string => execFileSync('git', args, { cwd: benchFolder, encoding: 'utf8' }).trim()
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', '..', ':!results') !== ''
    return git('rev-parse', '--short=12', 'HEAD') + (changed ? ' and local changes' : '')
  } catch {
    return 'unknown: not a git clone'
  }
}
