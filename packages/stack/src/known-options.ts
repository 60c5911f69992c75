import { StackError } from './errors.ts'

/** @throws StackError for a setting that does not exist: under a wrong name it would be ignored */
export function requireKnownOptions<T extends object>(
  prefix: string,
  options: T,
  known: Readonly<Record<keyof T, true>>,
): void {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(known, name)) continue
    const list = Object.keys(known)
      .map((one) => prefix + one)
      .join(', ')
    throw new StackError('option_invalid', `unknown option \`${prefix}${name}\``, `the options are ${list}`)
  }
}
