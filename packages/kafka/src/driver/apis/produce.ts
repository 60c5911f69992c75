import type { Writer } from '@platformatic/kafka'
import { answeredBy, readThrottleMs } from '../answer.ts'
import type { ChunkReader } from '../chunk-reader.ts'
import { brokerError } from '../classify.ts'
import type { Connections } from '../connections.ts'
import { groupBy } from '../group-by.ts'
import { library } from '../library.ts'
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
const produceApi = answeredBy(0, 12, writeRequest, readAnswer)
const produceApi11 = answeredBy(0, 11, writeRequest, readAnswer)

const initProducerIdApi = answeredBy(22, 5, 'initProducerIdV5', (answer) => {
  answer.skip(4)
  return { errorCode: answer.int16(), identity: { producerId: answer.bigInt64(), epoch: answer.int16() } }
})

export async function produce(
  connections: Connections,
  broker: BrokerNode,
  request: ProduceRequest,
): Promise<ProduceResponse> {
  const api = request.version === 1 ? produceApi11 : produceApi
  if (request.acks === 0) {
    await connections.send('produce', broker, 'Produce', api, request)
    return { throttleMs: 0, results: [] }
  }
  const role = request.transactionalId === null ? 'produce' : 'transaction'
  return await connections.request(role, broker, 'Produce', api, request)
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
    initProducerIdApi,
    transactionalId,
    transactionTimeoutMs,
    current?.producerId ?? -1n,
    current?.epoch ?? -1,
  )
  if (answer.errorCode !== 0) throw brokerError(answer.errorCode, null, { api: 'InitProducerId', broker: broker.id })
  return answer.identity
}

function writeRequest({ acks, timeoutMs, transactionalId, batches }: ProduceRequest): Writer {
  const topics = Array.from(groupBy(batches, (batch) => batch.topic))
  const writer = library().Writer.create().appendString(transactionalId).appendInt16(acks).appendInt32(timeoutMs)
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

function readAnswer(answer: ChunkReader): ProduceResponse {
  const results: ProduceResult[] = []
  answer.array(() => {
    const topic = answer.string() ?? ''
    answer.array(() => results.push(readResult(answer, topic)))
    answer.taggedFields()
  })
  return { throttleMs: readThrottleMs(answer), results }
}

function readResult(answer: ChunkReader, topic: string): ProduceResult {
  const partition = answer.int32()
  const errorCode = answer.int16()
  const baseOffset = answer.int64()
  const logAppendTimeMs = answer.int64()
  answer.skip(8)
  const recordErrors = answer.array(() => {
    const index = answer.int32()
    const message = answer.string()
    answer.taggedFields()
    return { index, message }
  })
  const message = answer.string()
  let leaderHint: LeaderHint | undefined
  answer.taggedFields({
    0: () => {
      leaderHint = { leader: answer.int32(), leaderEpoch: answer.int32() }
      answer.taggedFields()
    },
  })
  return {
    topic,
    partition,
    errorCode,
    errorMessage: message || null,
    recordErrors,
    baseOffset,
    logAppendTimeMs,
    leaderHint: leaderHint && leaderHint.leader >= 0 ? leaderHint : undefined,
  }
}
