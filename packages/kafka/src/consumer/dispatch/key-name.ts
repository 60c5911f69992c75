import { hash } from 'node:crypto'

const longestPlain = 256
/** No text of bytes has it in it. */
const digestMark = '\u0100'

/**
 * A text for each key: equal where the keys are. A long one is told by its digest, since texts stay in memory beside the
 * budget, and thousands of large keys take little room as long as they are compressed.
 */
export function keyName(key: Buffer): string {
  return key.length <= longestPlain ? key.toString('latin1') : digestMark + hash('sha256', key, 'base64')
}
