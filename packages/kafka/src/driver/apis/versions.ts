import type { Connection } from '@platformatic/kafka'
import { answeredBy } from '../answer.ts'
import type { ChunkReader } from '../chunk-reader.ts'
import { brokerError, classify } from '../classify.ts'
import { library } from '../library.ts'

interface NeededApi {
  readonly key: number
  readonly name: string
  readonly version: number
}

export interface ApiRange {
  readonly key: number
  readonly min: number
  readonly max: number
}

export interface ApiVersions {
  readonly errorCode: number
  readonly apis: readonly ApiRange[]
  /** The level of each feature that the cluster has turned on. */
  readonly features: ReadonlyMap<string, number>
}

/** What the driver speaks; all of it came with Kafka 4.0 at the latest. */
const needed: readonly NeededApi[] = [
  { key: 0, name: 'Produce', version: 12 },
  { key: 1, name: 'Fetch', version: 17 },
  { key: 2, name: 'ListOffsets', version: 9 },
  { key: 3, name: 'Metadata', version: 12 },
  { key: 8, name: 'OffsetCommit', version: 9 },
  { key: 9, name: 'OffsetFetch', version: 9 },
  { key: 10, name: 'FindCoordinator', version: 6 },
  { key: 22, name: 'InitProducerId', version: 5 },
  { key: 23, name: 'OffsetForLeaderEpoch', version: 4 },
  { key: 68, name: 'ConsumerGroupHeartbeat', version: 1 },
]

/** The header of this answer never has tagged fields, or an older broker could not say that it is one. */
export const apiVersionsApi = answeredBy(
  18,
  3,
  () => library().apiVersionsV3.createRequest('sluice', '0.1.0'),
  readApiVersions,
  {
    inRequest: true,
    inAnswer: false,
  },
)

/** Asks a broker what it speaks and says what it lacks, such as `Fetch 17`. Empty: it will do. */
export async function missingApis(connection: Connection): Promise<readonly string[]> {
  const { errorCode, apis } = await apiVersionsApi.call(connection)
  // A broker that does not know this version of the question lacks the rest as well.
  if (errorCode !== 0 && classify(errorCode).name !== 'UNSUPPORTED_VERSION') {
    throw brokerError(errorCode, null, { api: 'ApiVersions' })
  }
  const offered = new Map(apis.map((api) => [api.key, api]))
  return needed
    .filter(({ key, version }) => {
      const range = offered.get(key)
      return range === undefined || version < range.min || version > range.max
    })
    .map(({ name, version }) => `${name} ${version}`)
}

function readApiVersions(answer: ChunkReader): ApiVersions {
  const errorCode = answer.int16()
  const features = new Map<string, number>()
  if (errorCode !== 0) return { errorCode, apis: [], features }
  const apis = answer.array(() => {
    const range = { key: answer.int16(), min: answer.int16(), max: answer.int16() }
    answer.taggedFields()
    return range
  })
  answer.skip(4)
  answer.taggedFields({
    2: () => {
      answer.array(() => {
        features.set(answer.string() ?? '', answer.int16())
        answer.skip(2)
        answer.taggedFields()
      })
    },
  })
  return { errorCode, apis, features }
}
