/** What can keep a server from running. Each code means one thing, and each error says what to do about it. */
export const stackErrorCodes = [
  'option_invalid',
  'environment_invalid',
  'server_unreachable',
  'login_refused',
  'java_missing',
  'java_too_old',
  'maven_missing',
  'download_failed',
  'postgres_missing',
  'redis_missing',
  'port_taken',
  'disk_full',
  'folder_unusable',
  'already_running',
  'not_running',
  'broker_count',
  'start_failed',
  'start_timed_out',
  'closed',
] as const

/** What kept a server from running. */
export type StackErrorCode = (typeof stackErrorCodes)[number]

/** What a StackError has beside its code, its message and its remedy. */
export interface StackErrorOptions {
  readonly retriable?: boolean
  readonly cause?: unknown
  /** Fields of the error, such as the port that is taken. */
  readonly facts?: Readonly<Record<string, unknown>>
}

/**
 * A server of the stack cannot run. `message` says what is wrong, `remedy` what to do about it; the facts are fields.
 *
 * It has the shape of every error of Sluice, but is a class of its own: the stack stands alone.
 */
export class StackError extends Error {
  readonly code: StackErrorCode
  /** What to do about it. */
  readonly remedy: string
  readonly retriable: boolean

  constructor(code: StackErrorCode, message: string, remedy: string, options: StackErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'StackError'
    this.code = code
    this.remedy = remedy
    this.retriable = options.retriable ?? false
    if (options.facts) Object.assign(this, options.facts)
  }
}

/** The `code` of a system error such as ENOENT, or undefined. */
export function systemErrorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** Turns a failed write or mkdir into the error that says what to do; anything else comes back as it is. */
export function folderError(path: string, error: unknown): unknown {
  switch (systemErrorCode(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new StackError(
        'disk_full',
        `no space is left on the device of ${path}`,
        'free some space, or set SLUICE_DATA_DIR (and XDG_CACHE_HOME) to a folder on another disk',
        { cause: error, facts: { path } },
      )
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
    case 'ELOOP':
    case 'ENOTDIR':
    case 'EEXIST':
      return new StackError(
        'folder_unusable',
        `${path} cannot be used (${systemErrorCode(error)})`,
        'set SLUICE_DATA_DIR to a folder that you can write to',
        { cause: error, facts: { path } },
      )
    default:
      return error
  }
}
