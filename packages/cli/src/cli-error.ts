/** Something that a command cannot do, with what to do about it. */
export class CliError extends Error {
  readonly code: string
  readonly remedy: string

  constructor(code: string, message: string, remedy: string) {
    super(message)
    this.name = 'CliError'
    this.code = code
    this.remedy = remedy
  }
}

/** The options do not fit together: nothing was done. */
export class UsageError extends CliError {
  constructor(message: string, remedy: string) {
    super('usage', message, remedy)
    this.name = 'UsageError'
  }
}
