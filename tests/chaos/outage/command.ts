import { fileURLToPath } from 'node:url'
import { fromSource, run } from '../../system/support/child.ts'

/** A command line of `sluice`, and what it has to come to. */
export interface Expectation {
  readonly args: readonly string[]
  /** The documented exit code. */
  readonly code: number
  /** What is known has to be shown. */
  readonly shows: readonly RegExp[]
  /** Why the rest is not known. Default: nothing has to be said. */
  readonly says?: readonly RegExp[]
}

/** How a command line ended. */
export interface Answer {
  readonly scenario: string
  readonly command: string
  readonly ms: number
  readonly code: number | null
  readonly faults: readonly string[]
}

const program = fileURLToPath(new URL('../../../packages/cli/src/main.ts', import.meta.url))

/** Runs the command as a process of its own, as a person does, and compares. `limitMs` counts its start as well. */
export async function answer(
  scenario: string,
  bootstrap: string,
  { args, code: wanted, shows, says = [] }: Expectation,
  limitMs: number,
): Promise<Answer> {
  const command = `sluice ${args.join(' ')}`
  const [node, all] = fromSource(program, args)
  const startedMs = performance.now()
  const env = { KAFKA_BOOTSTRAP_SERVERS: bootstrap, KAFKA_CONNECT_TIMEOUT_MS: undefined }
  const { code, stdout, stderr } = await run(node, all, { env, timeoutMs: 120_000 })
  const ms = Math.round(performance.now() - startedMs)
  const output = `${stdout}\n${stderr}`
  const faults = [
    ...(ms > limitMs ? [`took ${ms} ms, more than ${limitMs}`] : []),
    ...(code === wanted ? [] : [`ended with ${code}, not with ${wanted}`]),
    ...shows.filter((known) => !known.test(stdout)).map((known) => `does not show ${known}`),
    ...says.filter((reason) => !reason.test(output)).map((reason) => `does not say ${reason}`),
  ]
  return {
    scenario,
    command,
    ms,
    code,
    faults: faults.map((fault) => `${scenario}, ${command}: ${fault}; it wrote\n${output}`),
  }
}

/** `scenario  command  ms  code  verdict`, a line each. */
export function tableOf(answers: readonly Answer[]): string[] {
  const rows = answers.map(({ scenario, command, ms, code, faults }) => [
    scenario,
    command,
    `${ms} ms`,
    `${code}`,
    faults.length === 0 ? 'right' : 'WRONG',
  ])
  const all = [['fault', 'command', 'took', 'code', 'verdict'], ...rows]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)))
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}
