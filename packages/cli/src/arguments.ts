import { InvalidArgumentError } from 'commander'
import { parseDuration } from './duration.ts'

/** A parser of an option's argument that takes whole numbers of a range. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`)
  }
}

/** `2s`, `500ms`. */
export function duration(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new InvalidArgumentError('expected a duration, such as 60s, 5m or 2h')
  return ms
}

const MAX_PARTITION = 99_999

/** `0,2,5-7`, sorted and each once. */
export function partitionList(text: string): readonly number[] {
  const numbers = new Set<number>()
  for (const part of text.split(',')) {
    const range = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim())
    const first = Number(range?.[1])
    const last = Number(range?.[2] ?? range?.[1])
    if (!range || last < first) {
      throw new InvalidArgumentError(`expected partitions from 0 to ${MAX_PARTITION}, such as 0,2,5-7`)
    }
    for (let partition = first; partition <= last; partition++) numbers.add(partition)
  }
  return [...numbers].sort((a, b) => a - b)
}

/** Adds `name=value` to those of earlier options of the same name. */
export function assignment(text: string, earlier: ReadonlyMap<string, string> = new Map()): Map<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('expected name=value')
  return new Map(earlier).set(text.slice(0, at), text.slice(at + 1))
}

/** Gathers an option that may be given more than once. */
export function repeated(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, text]
}
