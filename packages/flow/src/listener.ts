import { promiseOf } from './promise-of.ts'
import { stackOf } from './thrown.ts'

/** Calls a callback that must not be able to break its caller: what it throws or rejects with becomes a warning. */
export function callListener<Payload>(
  listener: ((payload: Payload) => unknown) | undefined,
  payload: Payload,
  name: string,
): void {
  if (listener === undefined) return
  try {
    const result = listener(payload)
    promiseOf(result)?.catch((error: unknown) => warn(name, error))
  } catch (error) {
    warn(name, error)
  }
}

/** Asks the caller's own judgement, which must not be able to break its asker: thrown is a warning and `otherwise`. */
export function askSafely<Subject>(
  question: (subject: Subject) => boolean,
  subject: Subject,
  { name, otherwise }: { readonly name: string; readonly otherwise: boolean },
): boolean {
  try {
    return question(subject)
  } catch (error) {
    warn(name, error)
    return otherwise
  }
}

function warn(name: string, error: unknown): void {
  process.emitWarning(`The callback "${name}" failed: ${stackOf(error)}`, { code: 'SLUICE_LISTENER' })
}
