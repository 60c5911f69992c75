/** An option of a benchmark, as `node:util` parseArgs takes it, with what `npm run bench` prints of it. */
export interface BenchOption {
  readonly type: 'string'
  readonly default: string
  readonly help: string
}

/** What each file in benches/ exports. */
export interface Bench {
  readonly title: string
  readonly options: Readonly<Record<string, BenchOption>>
  run(args: Readonly<Record<string, string>>): Promise<void>
}

export function option(standard: string, help: string): BenchOption {
  return { type: 'string', default: standard, help }
}

/** A whole number at least `min` of the command line. @throws RangeError with the option's name. */
export function count(args: Readonly<Record<string, string>>, name: string, min = 1): number {
  const value = Number(args[name]?.replaceAll('_', ''))
  if (!Number.isSafeInteger(value) || value < min) {
    throw new RangeError(`--${name} is '${args[name]}': give a whole number from ${min}`)
  }
  return value
}
