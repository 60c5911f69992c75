import { CorruptBatchError } from '../errors.ts'

/** The bytes of a batch are not those that were written. It is asked for once more before it is given up. */
export class BadChecksumError extends CorruptBatchError {
  constructor(baseOffset: number) {
    super(baseOffset, 'its checksum does not fit its bytes')
  }
}
