import type { DecodedRecord } from '../batch/decoded.ts'
import { decodePart } from '../codecs/decode-part.ts'
import { ConsumerRecord } from '../incoming/consumer-record.ts'
import type { AnyTopic } from '../record/sources.ts'
import { DecodeError, type RecordPart } from '../errors.ts'

/** Key and value as the topic's codecs read them. @throws DecodeError */
export function decodeRecord(topic: AnyTopic, partition: number, decoded: DecodedRecord): ConsumerRecord {
  const read = (part: RecordPart): unknown => {
    try {
      return decodePart(topic[part], decoded[part])
    } catch (cause) {
      throw new DecodeError({ topic: topic.name, partition, offset: decoded.offset }, part, topic[part].name, cause)
    }
  }
  return new ConsumerRecord(topic.name, partition, decoded, read('key'), read('value'))
}
