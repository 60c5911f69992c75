import type { Clock } from '@sluice/flow'
import type { LetterPart } from '../failure/dead-letter-headers.ts'
import type { DeadLetterRecord } from '../failure/dead-letter-record.ts'
import { DeadLetterRefusedError } from '../failure/errors.ts'
import { LetterForm } from './letter-form.ts'
import { type Refusal, refusalOf } from '../failure/refusal.ts'
import { untilDone } from '../failure/until-done.ts'

/** What becomes of a dead letter that its topic is too small for: written without its value, or the consumer stops. */
export type OversizePolicy = 'omit' | 'stop'

/** What `write` takes beside the letter. */
export interface LetterOptions {
  /** Ends the attempts; what is under way is not waited for. */
  readonly signal: AbortSignal
  /** Each failure that another attempt follows. */
  readonly onFailure: (error: unknown) => void
  /** Default `stop`. */
  readonly oversize?: OversizePolicy | undefined
  /** Called once readers of committed records can see it. */
  readonly onVisible?: ((letter: WrittenLetter) => void) | undefined
}

/** Where a dead letter was written, and what of it was left out. */
export interface WrittenLetter {
  /** Where it is. */
  readonly to: string
  /** What its topic did not take. */
  readonly omitted: readonly LetterPart[]
}

/** A way for letters into their topic. */
export interface LetterWay<T> {
  readonly clock: Clock
  /** The name of the topic that letters of this one go to. */
  readonly nameOf: (source: string) => string
  /** One attempt. */
  readonly send: (letter: DeadLetterRecord) => Promise<T>
  /** Makes room in a topic that Sluice made. False: it can get no more. */
  readonly widen: (source: string, form: LetterForm) => Promise<boolean>
}

export interface DeliveredLetter<T> {
  readonly sent: T
  readonly letter: WrittenLetter
  /**
   * Its topic refused it later, after all: sends it in the next form.
   * @throws DeadLetterRefusedError where there is none
   */
  readonly again: (error: unknown) => Promise<T>
}

/**
 * Writes a letter in the form in which its topic takes it: whole, or else without what was refused. What can pass is
 * tried again for as long as it takes, and so is what an operator can grant.
 * @throws DeadLetterRefusedError for what no attempt can mend; the signal's reason
 */
export async function deliverLetter<T>(
  record: DeadLetterRecord,
  way: LetterWay<T>,
  { signal, onFailure, oversize = 'stop' }: LetterOptions,
): Promise<DeliveredLetter<T>> {
  const form = new LetterForm(record)
  const attempt = async (): Promise<T> => {
    for (;;) {
      try {
        return await way.send(form.record)
      } catch (error) {
        if (signal.aborted || !(await adapt(form, record.topic, error, way, oversize)))
          throw refused(record, error, way, oversize)
      }
    }
  }
  const isFinal = (error: unknown): boolean => error instanceof DeadLetterRefusedError && !error.retriable
  const sent = await untilDone(attempt, { clock: way.clock, signal, onFailure, isFinal })
  const again = async (error: unknown): Promise<T> => {
    if (!(await adapt(form, record.topic, error, way, oversize))) throw refused(record, error, way, oversize)
    return await attempt()
  }
  return { sent, letter: { to: way.nameOf(record.topic), omitted: form.omitted }, again }
}

/** Whether there is another form, or more room, to try at once. Each step can be taken only once or a few times, so it ends. */
async function adapt<T>(
  form: LetterForm,
  source: string,
  error: unknown,
  way: LetterWay<T>,
  oversize: OversizePolicy,
): Promise<boolean> {
  switch (refusalOf(error)) {
    case 'timestamp':
      return form.dropTimestamp()
    case 'partition':
      return form.dropPartition()
    case 'record':
      return form.makeKey()
    case 'too_large':
      return (await way.widen(source, form)) || form.reduce(oversize === 'omit')
    default:
      return false
  }
}

function refused<T>(record: DeadLetterRecord, error: unknown, way: LetterWay<T>, oversize: OversizePolicy): unknown {
  const refusal = refusalOf(error)
  if (refusal === undefined) return error
  const { topic, partition } = record
  const to = way.nameOf(topic)
  const form = new LetterForm(record)
  const bytes = refusal === 'too_large' ? form.bytes() : 0
  const orOmit = oversize === 'stop' ? ", or set deadLetters.oversize to 'omit'" : ''
  const advice = adviceFor(refusal, to, `${bytes}${orOmit}`)
  return new DeadLetterRefusedError({ to, topic, partition, offset: form.offset, refusal, advice }, error)
}

function adviceFor(refusal: Refusal, to: string, size: string): string {
  switch (refusal) {
    case 'too_large':
      return `raise max.message.bytes of ${to} to at least ${size}`
    case 'not_allowed':
      return `allow this client to write to ${to}, and to create it where it does not exist; it is tried again until then`
    case 'record':
      return `look at cleanup.policy of ${to} and at what its brokers check`
    case 'timestamp':
      return `look at message.timestamp.before.max.ms and message.timestamp.after.max.ms of ${to}`
    default:
      return `mend ${to}, or set deadLetters to false`
  }
}
