import { ConfigError, systemClock } from '@sluice/flow'
import { requireFunction } from '@sluice/flow/internal'
import { type ConsumerRecord, type HandlerContext, noteDuplicate, PostponedError } from '@sluice/kafka'
import { TransactionTimeoutError } from '../errors.ts'
import { faultOf, isOfData, isOfServer } from '../sql/fault.ts'
import { before } from '../sql/transaction.ts'
import { markOf } from './mark.ts'
import type { Handled, IdempotencyStore, Mark } from './store.ts'

/** As every handler gets it, and what its effects go through to be done together with the mark. */
export interface IdempotentContext<Tx> extends HandlerContext {
  /** What the store gives for effects that belong to the mark: for PostgreSQL the transaction. */
  readonly tx: Tx
}

/** What `wrapHandler` takes. */
export interface WrapHandlerOptions<Tx> {
  /** Where it is remembered what was handled: `postgresIdempotency()` or `redisIdempotency()`. */
  readonly store: IdempotencyStore<Tx>
  /** Of the consumer: other groups handle the same records for themselves. */
  readonly group: string
  /** Told of a record that was handled before, and is not handled again. */
  readonly onDuplicate?: (record: ConsumerRecord) => unknown
}

/** So long a store may take until it lets the handler begin: less than a handler may take by default. */
const ASK_MS = 10_000

/**
 * A handler for `consumer.run` that handles a record once, however often it comes: begin, look, handle, mark, commit.
 * With `postgresIdempotency` the effects that go through `tx` and the mark are one transaction; with
 * `redisIdempotency` a process that is killed between the two handles the record again once its claim has expired.
 * Records that fail go the way of the consumer: its attempts, its retry topic, its dead letters. That the store is away,
 * or the record claimed by somebody else, is no failure of the record: it is put off (`PostponedError`), for as long as
 * it takes. `handlerTimeoutMs` should be more than 10 s, which the store has to let the handler begin.
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
    const handled = await once(store, mark, (tx) => handler(record, new WithTransaction(context, tx)))
    if (handled !== 'duplicate') return
    noteDuplicate(context)
    await onDuplicate?.(record)
  }
}

/** @throws PostponedError for what is neither the record's fault nor the handler's; what the handler throws */
async function once<Tx>(store: IdempotencyStore<Tx>, mark: Mark, handle: (tx: Tx) => unknown): Promise<Handled> {
  const begun = Promise.withResolvers<void>()
  let step: 'asked' | 'given_up' | 'handling' | 'handled' = 'asked'
  const ended = store.once(mark, async (tx) => {
    if (step === 'given_up') throw new TransactionTimeoutError(ASK_MS)
    step = 'handling'
    begun.resolve()
    await handle(tx)
    step = 'handled'
  })
  try {
    await before(systemClock, ASK_MS, Promise.race([begun.promise, ended]))
    return await ended
  } catch (error) {
    if (isPostponed(step, error)) {
      if (step === 'asked') step = 'given_up'
      ended.catch(() => {})
      throw new PostponedError(error)
    }
    throw error
  }
}

function isPostponed(step: string, error: unknown): boolean {
  if (step === 'asked') return !isOfData(error)
  return step === 'handled' ? faultOf(error) === 'transient' : isOfServer(error)
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
