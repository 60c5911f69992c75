import { SluiceError } from '@sluice/flow'
import { messageOf } from '@sluice/flow/internal'
import { describePlace, type OffsetPlace } from '../record/places.ts'

/**
 * Records are damaged, or larger than allowed once decompressed. With `unreadable: 'skip'` it comes in the `unreadable`
 * event, and reading has gone on behind them. With `'stop'` it ends the reading, and their offsets are not committed.
 */
export class UnreadableBatchError extends SluiceError<'batch_unreadable'> {
  declare readonly topic: string
  declare readonly partition: number
  /** The first offset that cannot be read. */
  declare readonly offset: number
  /** Where reading can go on: the offset behind the last one that cannot be read. */
  declare readonly endOffset: number

  constructor(place: OffsetPlace, cause: unknown, endOffset: number = place.offset + 1) {
    const { topic, partition, offset } = place
    const what =
      endOffset - offset > 1 ? `${topic}/${partition} from offset ${offset} to ${endOffset - 1}` : describePlace(place)
    super('batch_unreadable', `${what} cannot be read (see the option unreadable): ${messageOf(cause)}`, {
      cause,
      facts: { topic, partition, offset, endOffset },
    })
  }
}
