import { ConfigError } from '@sluice/flow'
import { requireFunction } from '@sluice/flow/internal'
import type { ConsumerRecord } from '../incoming/consumer-record.ts'
import { UnknownEventTypeError } from './errors.ts'
import type { HandlerContext } from './dispatch/invocation.ts'

/** Handles the records of one type of event. */
export type EventHandler<R> = (record: R, context: HandlerContext) => unknown

/** A handler for each type of event. `default` takes all others; without it they are errors. */
export type HandlersByType<R> = Readonly<Record<string, EventHandler<R>>>

/** Where the type of an event stands: the name of a header, or a function of the record. */
export type EventTypeSource<R> = string | ((record: R) => string | null | undefined)

const standardHeader = 'event-type'

/** One handler out of many: calls the one of the record's type. @throws ConfigError */
export function byEventType<R extends ConsumerRecord>(
  handlers: HandlersByType<R>,
  eventType: EventTypeSource<R> = standardHeader,
): EventHandler<R> {
  const byType = new Map(Object.entries(handlers))
  if (byType.size === 0) throw new ConfigError('handler', handlers, 'a function, or an object with one for each type')
  for (const [type, handler] of byType) requireFunction(`handler.${type}`, handler)
  const typeOf = typeReader(eventType)
  const standard = byType.get('default')
  return (record, context) => {
    const type = typeOf(record)
    const handler = (typeof type === 'string' ? byType.get(type) : undefined) ?? standard
    if (handler === undefined) throw new UnknownEventTypeError(record, type ?? null)
    return handler(record, context)
  }
}

function typeReader<R extends ConsumerRecord>(eventType: EventTypeSource<R>): (record: R) => string | null | undefined {
  if (typeof eventType === 'function') return eventType
  if (typeof eventType === 'string' && eventType !== '') return ({ headers }) => headers.get(eventType)
  throw new ConfigError('eventType', eventType, 'the name of a header, or a function of the record')
}
