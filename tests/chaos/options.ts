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
  const numbers = entries.map(([name]) => {
    const value = Number(values[name])
    if (!Number.isSafeInteger(value) || value < 1) throw new TypeError(`--${name}: give a whole number from 1`)
    return [name, value]
  })
  return Object.fromEntries(numbers) as Record<Names, number>
}
