import { answeredBy } from '../answer.ts'
import type { ChunkReader } from '../chunk-reader.ts'
import type {
  DescribedClassicGroup,
  DescribedGroup,
  GroupMember,
  GroupResult,
  ListedGroup,
  PartitionResult,
  TopicPartitions,
} from '../driver.ts'
import { readClassicAssignment } from './classic-assignment.ts'

interface WithCode {
  readonly errorCode: number
}

export const listGroupsApi = answeredBy(
  16,
  5,
  'listGroupsV5',
  (answer): WithCode & { readonly groups: readonly ListedGroup[] } => {
    answer.skip(4)
    const errorCode = answer.int16()
    const groups = answer.array(() => {
      const group = answer.text()
      answer.string()
      const listed = { group, state: answer.text(), type: answer.text() }
      answer.taggedFields()
      return listed
    })
    return { errorCode, groups }
  },
)

export const describeConsumerGroupsApi = answeredBy(69, 0, 'consumerGroupDescribeV0', (answer) => {
  answer.skip(4)
  return answer.array((): DescribedGroup => {
    const result = { errorCode: answer.int16(), errorMessage: answer.string(), group: answer.text() }
    const state = answer.text()
    const epoch = answer.int32()
    answer.skip(4)
    const described = {
      ...result,
      state,
      epoch,
      assignor: answer.text(),
      members: answer.array(() => readMember(answer)),
    }
    answer.skip(4)
    answer.taggedFields()
    return described
  })
})

function readMember(answer: ChunkReader): GroupMember {
  const id = { memberId: answer.text(), instanceId: answer.string() }
  answer.string()
  const member = { ...id, epoch: answer.int32(), clientId: answer.text(), host: answer.text() }
  answer.array(() => answer.string())
  answer.string()
  const assigned = { assignment: readAssignment(answer), target: readAssignment(answer) }
  answer.taggedFields()
  return { ...member, ...assigned }
}

function readAssignment(answer: ChunkReader): readonly TopicPartitions[] {
  const topics = answer.array(() => {
    const topicId = answer.uuid()
    answer.string()
    const partitions = answer.array(() => answer.int32())
    answer.taggedFields()
    return { topicId, partitions }
  })
  answer.taggedFields()
  return topics
}

export const describeClassicGroupsApi = answeredBy(15, 5, 'describeGroupsV5', (answer) => {
  answer.skip(4)
  return answer.array((): DescribedClassicGroup => {
    const result = { errorCode: answer.int16(), group: answer.text(), state: answer.text() }
    answer.string()
    const described = { ...result, assignor: answer.text(), members: answer.array(() => readClassicMember(answer)) }
    answer.skip(4)
    answer.taggedFields()
    return described
  })
})

function readClassicMember(answer: ChunkReader): DescribedClassicGroup['members'][number] {
  const id = { memberId: answer.text(), instanceId: answer.string(), clientId: answer.text(), host: answer.text() }
  answer.skip(Math.max(0, answer.unsignedVarint() - 1))
  const assignment = readClassicAssignment(answer.bytes(Math.max(0, answer.unsignedVarint() - 1)))
  answer.taggedFields()
  return { ...id, assignment }
}

export const deleteGroupsApi = answeredBy(42, 2, 'deleteGroupsV2', (answer) => {
  answer.skip(4)
  return answer.array((): GroupResult => {
    const result = { group: answer.text(), errorCode: answer.int16() }
    answer.taggedFields()
    return result
  })
})

export const deleteOffsetsApi = answeredBy(
  47,
  0,
  'offsetDeleteV0',
  (answer): WithCode & { readonly partitions: readonly PartitionResult[] } => {
    const errorCode = answer.int16()
    answer.skip(4)
    const partitions: PartitionResult[] = []
    answer.plainArray(() => {
      const topic = answer.plainString() ?? ''
      answer.plainArray(() => partitions.push({ topic, partition: answer.int32(), errorCode: answer.int16() }))
    })
    return { errorCode, partitions }
  },
  { inRequest: false, inAnswer: false },
)

export const alterQuotasApi = answeredBy(49, 1, 'alterClientQuotasV1', (answer) => {
  answer.skip(4)
  return answer.array(() => {
    const result = { errorCode: answer.int16(), errorMessage: answer.string() }
    answer.array(() => {
      answer.string()
      answer.string()
      answer.taggedFields()
    })
    answer.taggedFields()
    return result
  })
})
