import type { Terminal } from '../terminal.ts'
import { printable } from './printable.ts'
import { type Cell, tableLines } from './table.ts'

/** What a dangerous command is about to do. */
export interface Plan {
  /** In a sentence, such as `delete 2 topics with 1,200 records`. */
  readonly summary: string
  readonly titles: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
  /** What whoever agrees should know, a line each. */
  readonly warnings?: readonly string[]
  /** The same for programs. */
  readonly json: unknown
}

export interface PlanFlags {
  readonly execute?: boolean
  readonly json?: boolean
}

/**
 * Shows a plan, and carries it out only with `--execute`. As JSON the plan and whether it was executed are one object:
 * `{ plan, executed }`.
 */
export async function planned(
  terminal: Terminal,
  plan: Plan,
  { execute = false, json = false }: PlanFlags,
  carryOut: () => Promise<void>,
): Promise<void> {
  if (!json) showPlan(terminal, plan, execute)
  if (execute) await carryOut()
  if (json) terminal.json({ plan: plan.json, executed: execute })
  else terminal.line(execute ? 'done' : 'Nothing was changed. Add --execute to do it.')
}

function showPlan(terminal: Terminal, { summary, titles, rows, warnings = [] }: Plan, execute: boolean): void {
  terminal.line(printable(`${execute ? 'Doing' : 'Plan'}: ${summary}`))
  terminal.line()
  for (const line of tableLines(titles, rows)) terminal.line(line)
  terminal.line()
  for (const warning of warnings) terminal.line(printable(`Note: ${warning}`))
}
