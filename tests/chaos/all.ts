import type { Proof } from './proof.ts'

/** How one proof of many ended. */
interface Outcome {
  readonly name: string
  readonly anomalies: readonly string[]
  readonly seconds: number
}

/**
 * Runs proofs one after the other, and prints a line for each. A proof that throws has failed; the others go on.
 * @param isQuick each briefly
 * @returns what was wrong, with the name of its proof
 */
export async function runAll(
  proofs: ReadonlyMap<string, Proof>,
  isQuick: boolean,
  tell: (line: string) => void,
): Promise<readonly string[]> {
  const outcomes: Outcome[] = []
  for (const [name, proof] of proofs) {
    const said: string[] = []
    const startedMs = performance.now()
    const anomalies = await proof
      .run(isQuick ? proof.quick : [], (line) => said.push(line))
      .catch((error: unknown) => [error instanceof Error ? (error.stack ?? error.message) : String(error)])
    const outcome = { name, anomalies, seconds: Math.round((performance.now() - startedMs) / 1_000) }
    outcomes.push(outcome)
    tell(lineOf(outcome))
    // What a proof said is of interest where it failed.
    if (anomalies.length > 0) for (const line of [...said, ...anomalies]) tell(`  ${line}`)
  }
  return outcomes.flatMap(({ name, anomalies }) => anomalies.map((line) => `${name}: ${line}`))
}

function lineOf({ name, anomalies, seconds }: Outcome): string {
  const verdict = anomalies.length === 0 ? 'passed' : `FAILED, ${anomalies.length} anomalies`
  return `${name.padEnd(14)} ${`${seconds} s`.padStart(6)}  ${verdict}`
}
