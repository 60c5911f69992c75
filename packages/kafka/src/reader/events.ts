import type { UnreadableRange } from '../incoming/unreadable.ts'
import type { OffsetPlace } from '../record/places.ts'

/** What a reader emits while it reads. */
export type ReaderEvents = {
  /** Something failed that is tried again. */
  error: { readonly during: 'metadata' | 'fetch' | 'positions'; readonly error: unknown }
  /** A position is no longer in the log, or the log was replaced from there on: records were lost or come again. */
  moved: OffsetPlace & { readonly from: number }
  /** Records could not be read and were skipped, since `unreadable` is `skip`. */
  unreadable: UnreadableRange
}
