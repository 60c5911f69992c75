import { type Clock } from '@sluice/flow'
import { messageOf } from '@sluice/flow/internal'
import type { DeadLetterRecord } from '../../failure/dead-letter-record.ts'
import type { Spool } from './spool.ts'

/** How often it is looked whether the processes of other files have ended. */
const lookMs = 60_000

export interface ResendParts {
  readonly spool: Spool
  readonly clock: Clock
  readonly signal: AbortSignal
  /** @throws the signal's reason; what no further attempt can mend */
  readonly write: (letter: DeadLetterRecord) => Promise<unknown>
  readonly onResent: () => void
}

/** Sends what is in a spool, and what other processes leave there while they end. @throws the signal's reason */
export async function resend(parts: ResendParts): Promise<void> {
  const { spool, clock, signal } = parts
  for (;;) {
    for (const name of spool.taken) await resendFile(parts, name)
    if (!(await spool.takeOver().catch(() => false)) && spool.taken.length === 0) return
    if (spool.taken.length === 0) await clock.sleep(lookMs, signal)
  }
}

async function resendFile({ spool, signal, write, onResent }: ResendParts, name: string): Promise<void> {
  try {
    for await (const letter of spool.read(name)) {
      try {
        await write(letter)
        onResent()
      } catch (error) {
        signal.throwIfAborted()
        // It must not hold up those behind it: it goes to a file that is sent at the next start.
        await keep(spool, letter, error)
      }
    }
    await spool.remove(name)
  } catch (error) {
    signal.throwIfAborted()
    warn(`The spool ${name} cannot be sent: ${messageOf(error)}`)
    spool.leave(name)
  }
}

async function keep(spool: Spool, letter: DeadLetterRecord, cause: unknown): Promise<void> {
  const kept = await spool.append([letter])
  if (kept.letters === 0) {
    const why = kept.error === undefined ? 'the spool is full' : messageOf(kept.error)
    throw new Error(`${why}, and a letter is refused: ${messageOf(cause)}`, { cause })
  }
  warn(`A dead letter of ${letter.topic} is refused and kept in the spool until the next start: ${messageOf(cause)}`)
}

function warn(text: string): void {
  process.emitWarning(text, { code: 'SLUICE_DEAD_LETTERS' })
}
