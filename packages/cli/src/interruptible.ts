import type { CommandContext } from './command.ts'
import { ExitCode } from './exit-codes.ts'
import { untilSignal } from './until-signal.ts'

/**
 * Runs what ends in order at Ctrl-C: its signal is aborted, and the program ends with that code once it is over. A
 * second Ctrl-C ends the program at once.
 */
export async function interruptible(
  { exitWith }: CommandContext,
  work: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const controller = new AbortController()
  const interrupt = untilSignal(['SIGINT', 'SIGTERM', 'SIGHUP'])
  void interrupt.signal.then(() => {
    interrupt.forget()
    controller.abort()
  })
  try {
    await work(controller.signal)
  } catch (error) {
    if (error !== controller.signal.reason) throw error
  } finally {
    interrupt.forget()
    if (controller.signal.aborted) exitWith(ExitCode.interrupted)
  }
}
