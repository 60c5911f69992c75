/** A wait for a signal to this process. */
export interface SignalWait {
  /** Resolves with the first of the signals that comes. */
  readonly signal: Promise<NodeJS.Signals>
  /** Ends the listening: from then on the signals end the process again. */
  forget(): void
}

export function untilSignal(names: readonly NodeJS.Signals[]): SignalWait {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  for (const name of names) process.on(name, resolve)
  return {
    signal: promise,
    forget: () => {
      for (const name of names) process.off(name, resolve)
    },
  }
}
