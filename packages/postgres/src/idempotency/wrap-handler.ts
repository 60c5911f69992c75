import { ConfigError, requireFunction } from '@sluice/flow'
import type { ConsumerRecord, HandlerContext } from '@sluice/kafka'
import { markOf } from './mark.ts'
import type { IdempotencyStore } from './store.ts'

/** As every handler gets it, and what its effects go through to be done together with the mark. */
export interface IdempotentContext<Tx> extends HandlerContext {
  readonly tx: Tx
}

export interface WrapHandlerOptions<Tx> {
  readonly store: IdempotencyStore<Tx>
  /** Of the consumer: other groups handle the same records for themselves. */
  readonly group: string
  /** Told of a record that was handled before, and is not handled again. */
  readonly onDuplicate?: (record: ConsumerRecord) => unknown
}

/**
 * A handler for `consumer.run` that handles a record once, however often it comes: begin, look, handle, mark, commit.
 * With `postgresIdempotency` the effects that go through `tx` and the mark are one transaction; with
 * `redisIdempotency` a process that is killed between the two handles the record again once its claim has expired.
 * Records that fail go the way of the consumer: its attempts, its retry topic, its dead letters.
 * @throws ConfigError
 */
export function wrapHandler<R extends ConsumerRecord, Tx>(
  handler: (record: R, context: IdempotentContext<Tx>) => unknown,
  { store, group, onDuplicate }: WrapHandlerOptions<Tx>,
): (record: R, context: HandlerContext) => Promise<void> {
  requireFunction('handler', handler)
  if (typeof store?.once !== 'function')
    throw new ConfigError('store', store, 'postgresIdempotency() or redisIdempotency()')
  if (typeof group !== 'string' || group === '') throw new ConfigError('group', group, 'the group of the consumer')
  return async (record, context) => {
    const mark = markOf(record, context.topicId, group)
    const handled = await store.once(mark, (tx) => handler(record, new WithTransaction(context, tx)))
    if (handled === 'duplicate') await onDuplicate?.(record)
  }
}

/** Looks at the signal only if the handler does: it is made when first looked at. */
class WithTransaction<Tx> implements IdempotentContext<Tx> {
  readonly tx: Tx
  readonly #context: HandlerContext

  constructor(context: HandlerContext, tx: Tx) {
    this.tx = tx
    this.#context = context
  }

  get signal(): AbortSignal {
    return this.#context.signal
  }

  get attempt(): number {
    return this.#context.attempt
  }

  get topicId(): string {
    return this.#context.topicId
  }
}
