import type { Calls } from './calls.ts'
import type { Invocation } from './invocation.ts'
import type { LoopTurn } from './loop-turn.ts'
import type { ConsumerSettings } from '../options.ts'
import type { AssignedPartition } from '../partition.ts'
import type { Slots } from './slots.ts'

/** What an order works with. */
export interface OrderHost {
  readonly settings: ConsumerSettings
  readonly slots: Slots
  readonly calls: Calls
  readonly turn: LoopTurn
  /** The handler takes lists of records. */
  readonly batch: boolean
  /** Records of one partition before the next one's turn, and at most in one batch. */
  readonly pollRecords: () => number
  /** Whether anything may begin: not after the end, nor while the membership is in doubt. */
  readonly mayBegin: () => boolean
  /** Of what has begun to begin calls: no more, at the end or until what came of the last ones is committed. */
  readonly mustStop: () => boolean
  /** Lets `pump` be called in the next turn of the event loop. */
  readonly schedule: () => void
  /** Its offsets are finished, and what came of it is for the next commit. */
  readonly finish: (invocation: Invocation) => void
  /** Something of the partition has ended. */
  readonly ended: (partition: AssignedPartition) => void
  /** A record that cannot be decoded takes the way of those that fail. */
  readonly failed: (invocation: Invocation, error: unknown) => void
  readonly fatal: (error: Error) => void
}

/** Which records may be handled side by side, and which come next. */
export interface Order {
  /** The partition has something to handle that it had not. */
  offer(partition: AssignedPartition): void
  /** Nothing of the partition is to begin until it is resumed. */
  paused(partition: AssignedPartition): void
  resumed(partition: AssignedPartition): void
  /** There may be room to open batches. */
  unpark(): void
  /** Begins what may begin, as far as there are slots. */
  pump(): void
  /** A call that was waited for has ended well. */
  done(invocation: Invocation): void
  /** The same input again, after a pause in which its lane waits and its slot is free. */
  again(invocation: Invocation, delayMs: number): void
  /** Its lane waits, without a slot, until it is done elsewhere: `done`, or `left`. */
  hold(invocation: Invocation): void
  /** It has ended, and nothing comes of it. */
  left(invocation: Invocation): void
  /** Forgets what of the partition has not started. */
  dropWaiting(partition: AssignedPartition): void
  /** The calls of the partition that are out, and those that are held. */
  out(partition: AssignedPartition): readonly Invocation[]
  /** Lanes that could have a slot, without those that do. */
  runnable(): number
  /** Forgets everything that waits. */
  clear(): void
  inspect(): { readonly ready: number; readonly parked: number }
}
