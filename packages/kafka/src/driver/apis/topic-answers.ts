import { answeredBy, answeredUnread } from '../answer.ts'
import type { ChunkReader } from '../chunk-reader.ts'
import type { DeletedRecords, TopicConfigs, TopicResult } from '../driver.ts'
import { readByTopic } from './by-topic.ts'

/** Where a setting comes from, if it was set for the topic itself. */
const ownSource = 1

export const createTopicsApi = answeredBy(19, 7, 'createTopicsV7', (answer) => {
  answer.skip(4)
  return answer.array((): TopicResult => {
    const name = answer.text()
    answer.skip(16)
    const result = { name, errorCode: answer.int16(), errorMessage: answer.string() }
    answer.skip(6)
    answer.array(() => {
      answer.string()
      answer.string()
      answer.skip(3)
      answer.taggedFields()
    })
    answer.taggedFields()
    return result
  })
})

export const deleteTopicsApi = answeredBy(20, 6, 'deleteTopicsV6', (answer) => {
  answer.skip(4)
  return answer.array((): TopicResult => {
    const name = answer.text()
    answer.skip(16)
    const result = { name, errorCode: answer.int16(), errorMessage: answer.string() }
    answer.taggedFields()
    return result
  })
})

export const describeConfigsApi = answeredUnread(32, 4, 'describeConfigsV4')

export async function readTopicConfigs(answer: ChunkReader): Promise<readonly TopicConfigs[]> {
  answer.skip(4)
  return await answer.longArray(() => {
    const result = readConfigResult(answer)
    const [configs, ownConfigs] = readConfigs(answer)
    answer.taggedFields()
    return { ...result, configs, ownConfigs }
  })
}

type Configs = Readonly<Record<string, string | null>>

/** All of them, and those of the topic's own. */
function readConfigs(answer: ChunkReader): readonly [all: Configs, own: Configs] {
  const all: [string, string | null][] = []
  const own: [string, string | null][] = []
  answer.array(() => {
    const entry: [string, string | null] = [answer.text(), answer.string()]
    answer.skip(1)
    all.push(entry)
    if (answer.int8() === ownSource) own.push(entry)
    answer.skip(1)
    answer.array(() => {
      answer.string()
      answer.string()
      answer.skip(1)
      answer.taggedFields()
    })
    answer.skip(1)
    answer.string()
    answer.taggedFields()
  })
  return [Object.fromEntries(all), Object.fromEntries(own)]
}

export const alterConfigsApi = answeredBy(44, 1, 'incrementalAlterConfigsV1', (answer) => {
  answer.skip(4)
  return answer.array((): TopicResult => {
    const result = readConfigResult(answer)
    answer.taggedFields()
    return result
  })
})

function readConfigResult(answer: ChunkReader): TopicResult {
  const result = { errorCode: answer.int16(), errorMessage: answer.string() || null }
  answer.skip(1)
  return { ...result, name: answer.text() }
}

export const createPartitionsApi = answeredBy(37, 3, 'createPartitionsV3', (answer) => {
  answer.skip(4)
  return answer.array((): TopicResult => {
    const result = { name: answer.text(), errorCode: answer.int16(), errorMessage: answer.string() }
    answer.taggedFields()
    return result
  })
})

export const deleteRecordsApi = answeredBy(21, 2, 'deleteRecordsV2', (answer) =>
  readByTopic(answer, (topic): DeletedRecords => {
    const partition = answer.int32()
    const startOffset = answer.int64()
    return { topic, partition, startOffset, errorCode: answer.int16() }
  }),
)
