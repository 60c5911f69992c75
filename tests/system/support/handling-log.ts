import { existsSync, readFileSync } from 'node:fs'

/** One handling of one record by one process. */
export interface Handling {
  readonly process: string
  readonly partition: number
  readonly offset: number
  readonly beginMs: number
  /** Infinity: it never ended. */
  readonly endMs: number
}

/** Reads what a `group-member` program has written so far. A last line that is cut is left out. */
export function readHandlings(process: string, file: string): Handling[] {
  if (!existsSync(file)) return []
  const open = new Map<string, number>()
  const handlings: Handling[] = []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  for (const line of lines) {
    const [what, partition, offset, timeMs] = line.split(' ') as [string, string, string, string]
    const place = `${partition}/${offset}`
    if (what === 'begin') open.set(place, Number(timeMs))
    else if (what === 'end') {
      const beginMs = open.get(place)!
      open.delete(place)
      handlings.push({ process, partition: Number(partition), offset: Number(offset), beginMs, endMs: Number(timeMs) })
    }
  }
  for (const [place, beginMs] of open) {
    const [partition, offset] = place.split('/').map(Number) as [number, number]
    handlings.push({ process, partition, offset, beginMs, endMs: Infinity })
  }
  return handlings
}

/** When the commits of a `group-member` program were answered, in order. */
export function readCommits(file: string): number[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.filter((line) => line.startsWith('commit ')).map((line) => Number(line.split(' ')[3]))
}

/** Offsets below `end` that no process has handled to the end. */
export function skipped(handlings: readonly Handling[], ends: readonly number[]): string[] {
  const done = new Set(handlings.filter(({ endMs }) => endMs < Infinity).map(placeOf))
  return ends.flatMap((end, partition) =>
    Array.from({ length: end }, (_, offset) => `${partition}/${offset}`).filter((place) => !done.has(place)),
  )
}

/** Records that were handled more than once, each with those that did. */
export function repeated(handlings: readonly Handling[]): ReadonlyMap<string, readonly Handling[]> {
  const byPlace = Map.groupBy(handlings, placeOf)
  return new Map([...byPlace].filter(([, own]) => own.length > 1))
}

/** Pairs of handlings of one partition, by different processes, of which one began before the other had ended. */
export function overlaps(handlings: readonly Handling[], endOf: (handling: Handling) => number): string[] {
  const found: string[] = []
  for (const own of Map.groupBy(handlings, ({ partition }) => partition).values()) {
    const inOrder = own.toSorted((a, b) => a.beginMs - b.beginMs)
    let last: Handling | undefined
    for (const next of inOrder) {
      if (last && last.process !== next.process && endOf(last) > next.beginMs)
        found.push(`${nameOf(last)} ${nameOf(next)}`)
      if (!last || endOf(next) > endOf(last)) last = next
    }
  }
  return found
}

/** For each partition that moved from one process to another: how long nobody handled it, in milliseconds. */
export function handOvers(handlings: readonly Handling[], from: string, to: string): number[] {
  const gaps: number[] = []
  for (const own of Map.groupBy(handlings, ({ partition }) => partition).values()) {
    const inOrder = own.filter(({ endMs }) => endMs < Infinity).toSorted((a, b) => a.beginMs - b.beginMs)
    inOrder.forEach((next, index) => {
      const before = inOrder[index - 1]
      if (before?.process === from && next.process === to) gaps.push(next.beginMs - before.endMs)
    })
  }
  return gaps
}

const placeOf = ({ partition, offset }: Handling): string => `${partition}/${offset}`
const nameOf = ({ process, partition, offset }: Handling): string => `${process}:${partition}/${offset}`
