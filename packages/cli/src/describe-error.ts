/** One line about an error: its code, what is wrong, and what to do where the error knows it. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code, remedy } = error as { code?: unknown; remedy?: unknown }
  const prefix = typeof code === 'string' ? `${code}: ` : ''
  const suffix = typeof remedy === 'string' ? ` - ${remedy}` : ''
  return `${prefix}${error.message}${suffix}`.replaceAll(/\s*\n\s*/g, ' ')
}
