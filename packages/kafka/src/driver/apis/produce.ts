import { createAPI, initProducerIdV5, Writer, type Reader } from '@platformatic/kafka'
import { ChunkReader } from '../chunk-reader.ts'
import { brokerError } from '../classify.ts'
import type { Connections } from '../connections.ts'
import { groupBy } from '../group-by.ts'
import type {
  BrokerNode,
  InitProducerIdRequest,
  LeaderHint,
  ProducerIdentity,
  ProduceRequest,
  ProduceResponse,
  ProduceResult,
} from '../driver.ts'

/** Version 12: a transaction needs no AddPartitionsToTxn of its own (KIP-890). Otherwise the same as 11. */
const produceV12 = createAPI<[request: ProduceRequest], ProduceResponse>(0, 12, writeRequest, (_id, _key, _v, reader) =>
  readAnswer(reader),
)

export async function produce(
  connections: Connections,
  broker: BrokerNode,
  request: ProduceRequest,
): Promise<ProduceResponse> {
  const answer = await connections.request('produce', broker, 'Produce', produceV12, request)
  return request.acks === 0 ? { throttleMs: 0, results: [] } : answer
}

export async function initProducerId(
  connections: Connections,
  broker: BrokerNode,
  request: InitProducerIdRequest,
): Promise<ProducerIdentity> {
  const { transactionalId, transactionTimeoutMs, current } = request
  const answer = await connections.request(
    transactionalId === null ? 'control' : 'coordinator',
    broker,
    'InitProducerId',
    initProducerIdV5.api,
    transactionalId,
    transactionTimeoutMs,
    current?.producerId ?? -1n,
    current?.epoch ?? -1,
  )
  if (answer.errorCode !== 0) throw brokerError(answer.errorCode, null, { api: 'InitProducerId', broker: broker.id })
  return { producerId: answer.producerId, epoch: answer.producerEpoch }
}

function writeRequest({ acks, timeoutMs, transactionalId, batches }: ProduceRequest): Writer {
  const topics = Array.from(groupBy(batches, (batch) => batch.topic))
  const writer = Writer.create().appendString(transactionalId).appendInt16(acks).appendInt32(timeoutMs)
  writer.appendArray(topics, (_, [topic, ofTopic]) => {
    writer.appendString(topic).appendArray(ofTopic, (_, { partition, batch }) => {
      writer
        .appendInt32(partition)
        .appendUnsignedVarInt(batch.length + 1)
        .append(batch)
    })
  })
  writer.appendTaggedFields()
  if (acks === 0) Object.assign(writer.context, { noResponse: true })
  return writer
}

function readAnswer(reader: Reader): ProduceResponse {
  const chunks = new ChunkReader(reader.buffer.buffers)
  const results: ProduceResult[] = []
  chunks.array(() => {
    const topic = chunks.string() ?? ''
    chunks.array(() => results.push(readResult(chunks, topic)))
    chunks.taggedFields()
  })
  return { throttleMs: chunks.int32(), results }
}

function readResult(chunks: ChunkReader, topic: string): ProduceResult {
  const partition = chunks.int32()
  const errorCode = chunks.int16()
  const baseOffset = chunks.int64()
  const logAppendTimeMs = chunks.int64()
  chunks.skip(8)
  const recordErrors = chunks.array(() => {
    const index = chunks.int32()
    const message = chunks.string()
    chunks.taggedFields()
    return `record ${index}: ${message ?? 'refused'}`
  })
  const message = chunks.string()
  let leaderHint: LeaderHint | undefined
  chunks.taggedFields({
    0: () => {
      leaderHint = { leader: chunks.int32(), leaderEpoch: chunks.int32() }
      chunks.taggedFields()
    },
  })
  return {
    topic,
    partition,
    errorCode,
    errorMessage: [message, ...recordErrors].filter(Boolean).join('; ') || null,
    baseOffset,
    logAppendTimeMs,
    leaderHint: leaderHint && leaderHint.leader >= 0 ? leaderHint : undefined,
  }
}
