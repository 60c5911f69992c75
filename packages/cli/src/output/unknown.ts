import { printable } from './printable.ts'

/** Something that could not be found out, and why. */
export interface Unknown {
  /** Such as `orders/3`, `the group billing`, `the groups of 10.0.0.1:9092`. */
  readonly what: string
  readonly error: Error
}

/** So many things are named for each reason. */
const SHOWN = 8

/** A line for each reason: `not known: orders/0, orders/3: no leader`. Empty where all is known. */
export function unknownLines(all: readonly Unknown[]): string[] {
  const byReason = Map.groupBy(all, ({ error }) => reasonOf(error))
  return Array.from(byReason, ([reason, own]) => {
    const names = own.slice(0, SHOWN).map(({ what }) => what)
    const more = own.length > SHOWN ? ` and ${own.length - SHOWN} more` : ''
    return printable(`not known: ${names.join(', ')}${more}: ${reason}`)
  })
}

/** In a few words where that is enough. */
export function reasonOf(error: Error): string {
  if (hasNoLeader(error)) return 'no leader'
  const { apiError } = error as { apiError?: unknown }
  // What it is about stands before it.
  return typeof apiError === 'string' ? apiError : error.message.replaceAll(/\s*\n\s*/g, ' ')
}

export function hasNoLeader(error: Error | undefined): boolean {
  return (error as { apiError?: unknown } | undefined)?.apiError === 'LEADER_NOT_AVAILABLE'
}

/** Lines apart from the table above them. */
export function belowTable(lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', ...lines]
}
