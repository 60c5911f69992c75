import type { ConsumerRecord } from './consumer-record.ts'
import type { AnySource } from '../record/sources.ts'

/** The records of these topics: a union that `record.topic` narrows. */
export type RecordOf<T extends AnySource> = T extends RegExp
  ? ConsumerRecord<Buffer | null, Buffer | null>
  : T extends Exclude<AnySource, RegExp>
    ? ConsumerRecord<ReturnType<T['key']['decode']>, ReturnType<T['value']['decode']>, NameOf<T>>
    : never

/** The name of a topic as a type, so that `record.topic` tells the records of several topics apart; of a pattern: string. */
export type NameOf<T extends AnySource> = T extends { readonly name: infer Name extends string } ? Name : string
