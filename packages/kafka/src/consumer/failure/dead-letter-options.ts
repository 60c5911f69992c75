import { ConfigError } from '@sluice/flow'
import { requireOneOf } from '@sluice/flow/internal'
import type { OversizePolicy } from '../../dead-letters/deliver-letter.ts'
import { requireKnownFields } from '../../known-fields.ts'

/** How dead letters are written. */
export interface ConsumerDeadLetterOptions {
  /**
   * What becomes of a dead letter that is larger than `max.message.bytes` of its topic. A topic that Sluice made is given
   * more room first. `omit` (default): the error message is shortened, then the value, the record's headers and its key
   * are left out, one after the other, until it fits; headers say what is missing, and the process is warned. `stop`: the
   * consumer or pipe ends with a DeadLetterRefusedError that names the setting; the record's offset is not committed.
   */
  readonly oversize?: OversizePolicy
}

/** @throws ConfigError */
export function parseDeadLetters(given: boolean | ConsumerDeadLetterOptions): {
  readonly deadLetters: boolean
  readonly oversize: OversizePolicy
} {
  if (typeof given === 'boolean') return { deadLetters: given, oversize: 'omit' }
  if (typeof given !== 'object' || given === null) {
    throw new ConfigError('deadLetters', given, 'true, false or an object')
  }
  requireKnownFields('deadLetters.', given, { oversize: true })
  const oversize = requireOneOf('deadLetters.oversize', given.oversize ?? 'omit', ['omit', 'stop'])
  return { deadLetters: true, oversize }
}
