/** How the `sluice` command ends. */
export const ExitCode = {
  /** It did what was asked. */
  ok: 0,
  /** It could not: one line on the standard error says why and what to do. */
  failed: 1,
  /** The command line is wrong: nothing was done. */
  usage: 2,
  /** It was done, and what it looked at is beyond the threshold that was asked about, such as `lag --fail-above`. */
  beyondThreshold: 3,
  /**
   * It shows what is known, and some of what was asked for could not be found out, such as the lag of a partition without a
   * leader: the output says what and why. `lag --fail-above` ends so where no known lag is beyond the threshold.
   */
  incomplete: 4,
  /** Interrupted by Ctrl-C, after putting things in order. */
  interrupted: 130,
} as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]
