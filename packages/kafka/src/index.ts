export * from './errors.ts'
export type { Codec } from './codecs/codec.ts'
export type { Delivery, HeaderInput, HeadersInput, OutgoingRecord, Topic } from './record.ts'
