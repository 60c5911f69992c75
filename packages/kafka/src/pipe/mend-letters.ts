import type { ConfigError } from '@sluice/flow'
import type { Output } from '../outgoing/output.ts'
import { BrokerError } from '../errors.ts'
import { refusalOf, refusingError } from '../failure/refusal.ts'
import type { FinishedOutput } from './output-buffer.ts'

/**
 * After a transaction was aborted: makes topics of letters again that are gone, and puts other letters in the place of
 * those that their topic refused, although what was known of it said that it would not.
 * @param refused of the outputs, where it is known which
 * @returns whether the next transaction writes something else
 * @throws DeadLetterRefusedError for a letter that its topic will not take in any form
 */
export async function mendLetters(
  taken: readonly FinishedOutput[],
  error: unknown,
  refused: readonly Output[],
): Promise<boolean> {
  const cause = refusingError(error)
  if (cause === undefined) return false
  if (cause instanceof BrokerError && cause.apiError === 'UNKNOWN_TOPIC_OR_PARTITION') await remakeTopics(taken)
  const mended = lettersToMend(taken, cause, refused)
  if (mended.length === 0) return false
  const instead = new Map<Output, Output>()
  for (const output of mended) instead.set(output, await output.again!(cause))
  for (const item of taken) item.outputs = item.outputs.map((output) => instead.get(output) ?? output)
  return true
}

/** Those to be written in another form. */
function lettersToMend(
  taken: readonly FinishedOutput[],
  cause: BrokerError | ConfigError,
  refused: readonly Output[],
): readonly Output[] {
  const refusal = refusalOf(cause)
  if (refusal === 'partition') return refused.filter(({ again }) => again !== undefined)
  const { topic } = cause as { readonly topic?: string }
  const suspects = taken.flatMap(({ outputs }) =>
    outputs.filter((one) => one.topic === topic && one.again !== undefined),
  )
  // Which one it was is not always said. Too large is the largest; a time or a key that is there is no loss for the others.
  if (refusal === 'too_large') return suspects.toSorted((a, b) => b.record.bytes - a.record.bytes).slice(0, 1)
  if (refusal === 'record') return suspects.filter(({ record }) => record.key === null)
  return refusal === 'timestamp' ? suspects : []
}

/** Nobody else makes those of dead letters and retries. What fails is tried again after the next abort. */
async function remakeTopics(taken: readonly FinishedOutput[]): Promise<void> {
  const byTopic = new Map<string, () => Promise<void>>()
  for (const { outputs } of taken) for (const { topic, remake } of outputs) if (remake) byTopic.set(topic, remake)
  await Promise.allSettled(Array.from(byTopic.values(), (remake) => remake()))
}
