import { parseArgs } from 'node:util'

/** Options of a proof that are whole numbers from 1. @throws TypeError for any other. */
export function numberOptions<Names extends string>(
  args: readonly string[],
  standards: Readonly<Record<Names, number>>,
): Record<Names, number> {
  const entries = Object.entries<number>(standards)
  const options = Object.fromEntries(
    entries.map(([name, standard]) => [name, { type: 'string', default: String(standard) } as const]),
  )
  const { values } = parseArgs({ args: [...args], options })
  const numbers = entries.map(([name]) => [name, requireCount(name, values[name] as string)])
  return Object.fromEntries(numbers) as Record<Names, number>
}

/** @throws TypeError for what is no whole number from 1 */
function requireCount(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new TypeError(`--${name}: give a whole number from 1`)
  return value
}

/** The same, and `--way`: one of these, or all of them, which is the default. */
export function optionsWithWay<Way extends string, Names extends string>(
  args: readonly string[],
  ways: readonly Way[],
  standards: Readonly<Record<Names, number>>,
): Record<Names, number> & { readonly way: Way | 'all' } {
  const at = args.indexOf('--way')
  const given = at < 0 ? 'all' : args[at + 1]
  const way: Way | 'all' | undefined = given === 'all' ? 'all' : ways.find((one) => one === given)
  if (way === undefined) throw new TypeError(`--way: give one of ${ways.join(', ')}, all`)
  return { ...numberOptions(at < 0 ? args : args.toSpliced(at, 2), standards), way }
}
