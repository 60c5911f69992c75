import { Log } from '../log.ts'

const ignore = (): void => undefined

/** For tests that make trouble on purpose and look at what comes of it, not at what is said. */
export function silentLog(): Log {
  return new Log({ debug: ignore, info: ignore, warn: ignore, error: ignore })
}
