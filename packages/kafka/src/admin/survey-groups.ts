import type { Cluster } from '../cluster/cluster.ts'
import { brokerError, errorCode } from '../driver/classify.ts'
import type { BrokerNode, CommittedOffset, ListedGroup } from '../driver/driver.ts'
import { BrokerError } from '../errors.ts'
import {
  describeAt,
  findCoordinators,
  type FoundGroup,
  type GroupDescription,
  requireOurs,
  surveyGroupList,
  topicNames,
  type UnknownBroker,
} from './describe-groups.ts'
import type { Inquiry } from './inquiry.ts'
import { lagRows, type LogEnds, type PartitionLag, surveyLogEnds, type UnknownLag, type UnknownTopic } from './lag.ts'
import { committedAt } from './offsets.ts'

/** A group, and how far it is behind, as far as that could be found out. */
export interface GroupSurvey {
  readonly group: string
  /** Undefined: see `error`. */
  readonly description: GroupDescription | undefined
  /** Of every topic that it has committed in or that a member reads. */
  readonly partitions: readonly (PartitionLag | UnknownLag)[]
  /** Those of these topics of which nothing could be found out, such as one that was deleted. */
  readonly unknownTopics: readonly UnknownTopic[]
  /** Why its coordinator did not tell who is in it or what it has committed; undefined where it did. */
  readonly error: Error | undefined
}

/** Groups, and why the others are missing. */
export interface GroupsSurvey {
  /** What is known of each group. */
  readonly groups: readonly GroupSurvey[]
  /** Groups of other protocols, such as `share`: they commit no offsets. */
  readonly others: readonly ListedGroup[]
  /** Brokers that did not tell which groups they coordinate. */
  readonly unknown: readonly UnknownBroker[]
}

/** Of these groups, else of all. One that is not there has the error `GROUP_ID_NOT_FOUND`. */
export async function surveyGroups(
  cluster: Cluster,
  names: readonly string[] | null,
  inquiry: Inquiry,
): Promise<GroupsSurvey> {
  const { found, byCoordinator, others, unknown } =
    names === null ? await allGroups(cluster, inquiry) : await namedGroups(cluster, names, inquiry)
  const commits = new Map<string, readonly CommittedOffset[] | Error>()
  const topics = await topicNames(cluster, inquiry)
  const asked = Array.from(byCoordinator, async ([coordinator, own]) => {
    const [described] = await Promise.all([
      describeAt(cluster, coordinator, own, topics, inquiry),
      readCommits(cluster, coordinator, own, { inquiry, commits }),
    ])
    for (const one of described) found.set(...one)
  })
  await Promise.all(asked)
  // One of the list that is gone meanwhile is left out.
  const present = names ?? [...found].filter(([, one]) => !isGone(one)).map(([name]) => name)
  const parts = [...new Set(present)].map((group) => partOf(group, found.get(group), commits.get(group)))
  const ends = await endsOf(cluster, parts, inquiry)
  const groups = parts.map((part) => withLag(part, ends))
  return { groups: names === null ? groups.sort((a, b) => (a.group < b.group ? -1 : 1)) : groups, others, unknown }
}

interface Located {
  readonly found: Map<string, FoundGroup>
  readonly byCoordinator: ReadonlyMap<BrokerNode, readonly string[]>
  readonly others: readonly ListedGroup[]
  readonly unknown: readonly UnknownBroker[]
}

async function namedGroups(cluster: Cluster, names: readonly string[], inquiry: Inquiry): Promise<Located> {
  await inquiry.refresh(cluster, [])
  return { ...(await findCoordinators(cluster, names, inquiry)), others: [], unknown: [] }
}

async function allGroups(cluster: Cluster, inquiry: Inquiry): Promise<Located> {
  const { groups, unknown } = await surveyGroupList(cluster, inquiry)
  const own = groups.filter(({ type }) => !isOther(type))
  const byCoordinator = new Map<BrokerNode, string[]>()
  for (const [coordinator, all] of Map.groupBy(own, (one) => one.coordinator)) {
    byCoordinator.set(
      coordinator,
      all.map(({ group }) => group),
    )
  }
  const others = groups.filter(({ type }) => isOther(type)).map(({ group, state, type }) => ({ group, state, type }))
  return { found: new Map(), byCoordinator, others, unknown }
}

/** Those that are no consumer groups of either protocol. A broker that does not name the type lists only these. */
function isOther(type: string): boolean {
  return !['', 'consumer', 'classic'].includes(type.toLowerCase())
}

/** How many groups are asked about at the same time at a coordinator. */
const groupsAtOnce = 50

async function readCommits(
  cluster: Cluster,
  coordinator: BrokerNode,
  groups: readonly string[],
  {
    inquiry,
    commits,
  }: { readonly inquiry: Inquiry; readonly commits: Map<string, readonly CommittedOffset[] | Error> },
): Promise<void> {
  for (let at = 0; at < groups.length; at += groupsAtOnce) {
    const asked = groups.slice(at, at + groupsAtOnce).map(async (group) => {
      try {
        const question = () => committedAt(cluster, coordinator, group)
        commits.set(group, await inquiry.ask(coordinator, 'OffsetFetch', question))
      } catch (error) {
        commits.set(group, requireOurs(error))
      }
    })
    await Promise.all(asked)
  }
}

/** What is known of a group before the ends of its logs are. */
interface Part {
  readonly group: string
  readonly description: GroupDescription | undefined
  readonly committed: readonly CommittedOffset[]
  readonly topics: ReadonlySet<string>
  readonly error: Error | undefined
}

function partOf(group: string, found: FoundGroup | undefined, commits: readonly CommittedOffset[] | Error = []): Part {
  const description = found instanceof Error ? undefined : found
  const committed = commits instanceof Error ? [] : commits
  const missing = found ?? brokerError(notFound, null, { group })
  const error = missing instanceof Error ? missing : commits instanceof Error ? commits : undefined
  const read = description?.members.flatMap(({ assignment }) => assignment.map(({ topic }) => topic)) ?? []
  return { group, description, committed, topics: new Set([...committed.map(({ topic }) => topic), ...read]), error }
}

interface Ends {
  readonly logs: LogEnds
  readonly unknown: ReadonlyMap<string, Error>
  readonly partitions: ReadonlyMap<string, readonly number[]>
}

async function endsOf(cluster: Cluster, parts: readonly Part[], inquiry: Inquiry): Promise<Ends> {
  const topics = [...new Set(parts.flatMap((part) => [...part.topics]))]
  if (topics.length > 0) await inquiry.refresh(cluster, topics)
  const unknown = new Map<string, Error>()
  const partitions = new Map<string, readonly number[]>()
  for (const topic of topics) {
    const known = cluster.topic(topic)
    const code = known?.errorCode ?? unknownTopic
    if (code !== 0) unknown.set(topic, brokerError(code, null, { topic }))
    else partitions.set(topic, known?.partitions.map(({ partition }) => partition) ?? [])
  }
  const places = [...partitions].flatMap(([topic, all]) => all.map((partition) => ({ topic, partition })))
  return { logs: await surveyLogEnds(cluster, places, inquiry), unknown, partitions }
}

function withLag({ group, description, committed, topics, error }: Part, ends: Ends): GroupSurvey {
  const places = [...topics].flatMap((topic) =>
    (ends.partitions.get(topic) ?? []).map((partition) => ({ topic, partition })),
  )
  const unknownTopics = [...topics].flatMap((topic) => {
    const reason = ends.unknown.get(topic)
    return reason === undefined ? [] : [{ topic, error: reason }]
  })
  return { group, description, partitions: lagRows(places, committed, ends.logs), unknownTopics, error }
}

const notFound = errorCode('GROUP_ID_NOT_FOUND')
const unknownTopic = errorCode('UNKNOWN_TOPIC_OR_PARTITION')

function isGone(found: FoundGroup): boolean {
  return found instanceof BrokerError && found.apiCode === notFound
}
