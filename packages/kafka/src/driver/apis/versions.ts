import { apiVersionsV3, type Connection } from '@platformatic/kafka'

interface NeededApi {
  readonly key: number
  readonly name: string
  readonly version: number
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

/** Asks a broker what it speaks and says what it lacks, such as `Fetch 17`. Empty: it will do. */
export async function missingApis(connection: Connection): Promise<readonly string[]> {
  const { apiKeys } = await apiVersionsV3.api.async(connection, 'sluice', '0.1.0')
  const offered = new Map(apiKeys.map((api) => [api.apiKey, api]))
  return needed
    .filter(({ key, version }) => {
      const range = offered.get(key)
      return range === undefined || version < range.minVersion || version > range.maxVersion
    })
    .map(({ name, version }) => `${name} ${version}`)
}
