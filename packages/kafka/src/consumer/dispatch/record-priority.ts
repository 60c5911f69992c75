import { ConfigError, type Priority } from '@sluice/flow'
import { type Emitter, priorities } from '@sluice/flow/internal'
import type { ConsumerRecord } from '../../incoming/consumer-record.ts'
import type { ConsumerEvents } from '../events.ts'

/** The name of a header that says high, medium or low; or a function. Undefined: what the topic's is. */
export type PrioritySource = string | ((record: ConsumerRecord) => Priority | undefined)

/** Undefined where the record says nothing. What goes wrong is told, and is no reason to handle a record less well. */
export function priorityReader(source: PrioritySource, events: Emitter<ConsumerEvents>) {
  // Whoever wrote the header is somebody else, who may mean something else by it.
  if (typeof source === 'string') return ({ headers }: ConsumerRecord) => known(headers.get(source))
  return (record: ConsumerRecord): Priority | undefined => {
    try {
      const priority = source(record)
      if (priority === undefined || known(priority) !== undefined) return priority
      throw new ConfigError('priority', priority, `one of ${priorities.join(', ')}, or undefined`)
    } catch (error) {
      events.emit('error', { during: 'priority', error })
      return undefined
    }
  }
}

function known(value: string | undefined): Priority | undefined {
  return priorities.find((priority) => priority === value)
}
