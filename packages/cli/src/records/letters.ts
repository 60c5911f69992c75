import type { DeadLetter, FoundLetter, Kafka } from '@sluice/kafka'
import type { Command } from 'commander'
import { CliError } from '../cli-error.ts'
import { isoTime } from './record-text.ts'

/** Which dead letters are meant; all of it. */
export interface LetterFlags {
  /** Somewhere in the class or the message of the error. */
  readonly error?: string
  readonly group?: string
  readonly stage?: string
}

export function withLetterOptions(command: Command): Command {
  return command
    .option('-e, --error <text>', 'only letters with this text in the class or the message of their error')
    .option('-G, --group <name>', 'only letters of this consumer group')
    .option('--stage <name>', 'only letters that failed there: handler, decode, delivery')
}

export function letterMatcher({ error, group, stage }: LetterFlags): ((found: FoundLetter) => boolean) | undefined {
  if (error === undefined && group === undefined && stage === undefined) return undefined
  const wanted = error?.toLowerCase()
  return ({ letter }) => {
    if (letter === undefined) return false
    if (group !== undefined && letter.group !== group) return false
    if (stage !== undefined && letter.stage !== stage) return false
    return wanted === undefined || `${letter.errorClass} ${letter.errorMessage}`.toLowerCase().includes(wanted)
  }
}

/** The log of the dead letters of a topic that has some. @throws CliError where it has none */
export async function openLetters(kafka: Kafka, source: string) {
  const letters = kafka.deadLetters(source)
  const known = await kafka.admin().listTopics()
  if (known.includes(letters.topic)) return letters
  const { isDeadLetterTopic } = await import('@sluice/kafka')
  const some = known.filter(isDeadLetterTopic)
  const others = some.length === 0 ? 'no topic has any' : `there are those of ${some.join(', ')}`
  throw new CliError('letters_none', `there is no topic ${letters.topic}`, others)
}

/** For programs. */
export function letterJson({ record, letter }: FoundLetter) {
  const { topic, partition, offset } = record
  return { topic, partition, offset, failedAt: timeOf(letter), letter: letter ?? null }
}

/** When it failed, as people read it; null where that is not known. */
export function timeOf(letter: DeadLetter | undefined): string | null {
  return letter === undefined || letter.failedAtMs < 0 ? null : isoTime(letter.failedAtMs)
}

/** `orders/3 at 42`, as far as it is known. */
export function originOf(letter: DeadLetter | undefined): string | null {
  if (letter === undefined) return null
  return letter.partition < 0 ? letter.topic : `${letter.topic}/${letter.partition} at ${letter.offset}`
}
