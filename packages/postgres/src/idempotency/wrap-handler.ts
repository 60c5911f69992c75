import { ConfigError, requireFunction, systemClock } from '@sluice/flow'
import type { ConsumerRecord, HandlerContext } from '@sluice/kafka'
import { backoffMs } from '../sql/backoff.ts'
import { faultOf, isOfData } from '../sql/fault.ts'
import { markOf } from './mark.ts'
import type { Handled, IdempotencyStore, Mark } from './store.ts'

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
  /** The store could not be asked, or somebody else has the record under way. Default: a warning of the process. */
  readonly onWaiting?: (record: ConsumerRecord, error: unknown, retryInMs: number) => unknown
}

const LONGEST_WAIT_MS = 5_000

/**
 * A handler for `consumer.run` that handles a record once, however often it comes: begin, look, handle, mark, commit.
 * With `postgresIdempotency` the effects that go through `tx` and the mark are one transaction; with
 * `redisIdempotency` a process that is killed between the two handles the record again once its claim has expired.
 * Records that fail go the way of the consumer: its attempts, its retry topic, its dead letters. That the store is away,
 * or the record claimed by somebody else, is no failure of the record: it waits in its lane, and holds back what is
 * fetched, until the consumer closes or its `handlerTimeoutMs` is over.
 * @throws ConfigError
 */
export function wrapHandler<R extends ConsumerRecord, Tx>(
  handler: (record: R, context: IdempotentContext<Tx>) => unknown,
  { store, group, onDuplicate, onWaiting = warn }: WrapHandlerOptions<Tx>,
): (record: R, context: HandlerContext) => Promise<void> {
  requireFunction('handler', handler)
  if (typeof store?.once !== 'function')
    throw new ConfigError('store', store, 'postgresIdempotency() or redisIdempotency()')
  if (typeof group !== 'string' || group === '') throw new ConfigError('group', group, 'the group of the consumer')
  return async (record, context) => {
    const mark = markOf(record, context.topicId, group)
    const once = (): Promise<Handled> =>
      onceAsked(store, mark, (tx) => handler(record, new WithTransaction(context, tx)))
    for (let failures = 0; ;) {
      const handled = await once().catch((error: unknown) => {
        if (error instanceof StoreFailure) return error
        throw error
      })
      if (handled === 'handled') return
      if (handled === 'duplicate') return void (await onDuplicate?.(record))
      const { cause } = handled
      const retryInMs = backoffMs(failures++, 100, LONGEST_WAIT_MS)
      await onWaiting(record, cause, retryInMs)
      await systemClock.sleep(retryInMs, context.signal).catch(() => {
        throw cause
      })
    }
  }
}

/** Not the record's, and not the handler's. */
class StoreFailure extends Error {}

/** @throws StoreFailure; what the handler throws, and what comes of what it has done */
async function onceAsked<Tx>(store: IdempotencyStore<Tx>, mark: Mark, handle: (tx: Tx) => unknown): Promise<Handled> {
  let step: 'asked' | 'handling' | 'handled' = 'asked'
  try {
    return await store.once(mark, async (tx) => {
      step = 'handling'
      await handle(tx)
      step = 'handled'
    })
  } catch (error) {
    const isOfStore = wasHandled(step) ? faultOf(error) === 'transient' : step === 'asked' && !isOfData(error)
    throw isOfStore ? new StoreFailure('', { cause: error }) : error
  }
}

/** `step` has changed behind the compiler's back. */
function wasHandled(step: string): boolean {
  return step === 'handled'
}

function warn({ topic, partition, offset }: ConsumerRecord, error: unknown, retryInMs: number): void {
  const what = `the record at ${topic}/${partition}/${offset} waits ${retryInMs} ms: ${String(error)}`
  process.emitWarning(what, { code: 'SLUICE_IDEMPOTENCY' })
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
