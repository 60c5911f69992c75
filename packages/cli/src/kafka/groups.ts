import type {
  Admin,
  GroupDescription,
  GroupSurvey,
  PartitionLag,
  SurveyOptions,
  UnknownBroker,
  UnknownLag,
} from '@sluice/kafka'
import { CliError } from '../cli-error.ts'
import { nearest } from '../nearest.ts'
import type { Unknown } from '../output/unknown.ts'
import { isRefused, isRefusedForGood } from './refused.ts'

/** A group, and how far it is behind, as far as that is known. */
export interface GroupLag {
  readonly group: string
  /** Undefined: its coordinator did not answer. */
  readonly description: GroupDescription | undefined
  /** Of the partitions that are known; null where none is. */
  readonly lag: number | null
  readonly partitions: readonly OwnedLag[]
  readonly unknown: readonly Unknown[]
  /** Topics that a member reads and that are no longer there: they have no lag. */
  readonly goneTopics: readonly string[]
}

export type OwnedLag = (PartitionLag | UnknownLag) & {
  /** Who reads it now; null where nobody does. */
  readonly member: { readonly clientId: string; readonly instanceId: string | null; readonly host: string } | null
}

/** Groups, and why others are missing. */
export interface GroupLags {
  readonly groups: readonly GroupLag[]
  /** Brokers that did not tell their groups. */
  readonly unknown: readonly Unknown[]
  /** Groups of other protocols, which have no lag, by their protocol. */
  readonly others: readonly { readonly group: string; readonly protocol: string }[]
}

/** @throws CliError that names what is most like the one that is missing, or says that it is no consumer group */
export async function describeGroup(admin: Admin, group: string): Promise<GroupDescription> {
  try {
    const [described] = await admin.describeGroups([group])
    return described!
  } catch (error) {
    if (!isRefused(error, 'GROUP_ID_NOT_FOUND')) throw error
    throw await groupUnknown(admin, group)
  }
}

async function groupUnknown(admin: Admin, group: string): Promise<CliError> {
  const { groups: listed } = await admin.surveyGroupList()
  const same = listed.find((one) => one.group === group)
  if (same) {
    return new CliError(
      'group_of_other_kind',
      `${group} is a ${same.type.toLowerCase()} group; this command is for consumer groups`,
      `\`kafka-${same.type.toLowerCase()}-groups.sh\` of Kafka shows it`,
    )
  }
  const meant = nearest(
    group,
    listed.map((one) => one.group),
  )
  return new CliError(
    'group_unknown',
    `there is no group ${group}`,
    `${meant === undefined ? '' : `did you mean ${meant}? `}\`sluice groups list\` shows what there is`,
  )
}

/** Groups with the lag of each partition that they have committed in or read: of these, else of all. */
export async function lagsOfGroups(admin: Admin, names: readonly string[], options: SurveyOptions): Promise<GroupLags> {
  const survey = await admin.surveyGroups(names.length > 0 ? names : null, options)
  const unknown = survey.unknown.map(groupsOf)
  const others = survey.others.map(({ group, type }) => ({ group, protocol: type.toLowerCase() }))
  return { groups: survey.groups.map(lagOf), unknown, others }
}

/** The groups that a broker did not tell. */
export function groupsOf({ broker: { id, host, port }, error }: UnknownBroker): Unknown {
  return { what: `the groups of broker ${id} at ${host}:${port}`, error }
}

/** All that is not known, and why. */
export function unknownIn({ groups, unknown }: GroupLags): readonly Unknown[] {
  return [...groups.flatMap((group) => group.unknown), ...unknown]
}

/** @throws CliError or BrokerError for the first that is not there or may not be seen */
export async function throwRefusedGroup(admin: Admin, { groups }: GroupLags): Promise<void> {
  for (const { group, description, unknown } of groups) {
    // A topic of a group that is known hides nothing of the others.
    const refused = description === undefined ? unknown.find(({ error }) => isRefusedForGood(error))?.error : undefined
    if (refused === undefined) continue
    if (isRefused(refused, 'GROUP_ID_NOT_FOUND')) throw await groupUnknown(admin, group)
    throw refused
  }
}

/** Those that are there, as far as is known. */
export function isPresent({ unknown }: GroupLag): boolean {
  return !unknown.some(({ error }) => isRefused(error, 'GROUP_ID_NOT_FOUND'))
}

function lagOf({ group, description, partitions: lags, unknownTopics, error }: GroupSurvey): GroupLag {
  const owners = ownersIn(description)
  const partitions = lags.map((one) => ({ ...one, member: owners.get(`${one.topic}/${one.partition}`) ?? null }))
  const read = new Set(description?.members.flatMap(({ assignment }) => assignment.map(({ topic }) => topic)))
  const gone = unknownTopics.filter((one) => isRefused(one.error, 'UNKNOWN_TOPIC_OR_PARTITION'))
  const unknown = [
    ...(error === undefined ? [] : [{ what: `the group ${group}`, error }]),
    ...unknownTopics.filter((one) => !gone.includes(one)).map((one) => ({ what: one.topic, error: one.error })),
    ...lags.flatMap((one) => ('error' in one ? [{ what: `${one.topic}/${one.partition}`, error: one.error }] : [])),
  ]
  const goneTopics = gone.map(({ topic }) => topic).filter((topic) => read.has(topic))
  return { group, description, partitions, unknown, goneTopics, lag: sumOf(lags, error) }
}

function sumOf(lags: GroupSurvey['partitions'], error: Error | undefined): number | null {
  const known = lags.flatMap(({ lag }) => (lag === null ? [] : [lag]))
  if (known.length === 0 && (lags.length > 0 || error !== undefined)) return null
  return known.reduce((sum, lag) => sum + lag, 0)
}

function ownersIn(description: GroupDescription | undefined): ReadonlyMap<string, OwnedLag['member']> {
  const owners = new Map<string, OwnedLag['member']>()
  for (const { clientId, instanceId, host, assignment } of description?.members ?? []) {
    for (const { topic, partitions } of assignment) {
      for (const partition of partitions) owners.set(`${topic}/${partition}`, { clientId, instanceId, host })
    }
  }
  return owners
}

/** @throws CliError while the group has members */
export function requireNoMembers({ group, members }: GroupDescription): void {
  if (members.length === 0) return
  const names = members.slice(0, 5).map(({ clientId, host }) => `${clientId} at ${addressOf(host)}`)
  const more = members.length > names.length ? ` and ${members.length - names.length} more` : ''
  throw new CliError(
    'group_live',
    `${group} is live: it has ${members.length === 1 ? 'a member' : `${members.length} members`}, ${names.join(', ')}${more}`,
    'stop them first; their offsets would overwrite what is set here',
  )
}

/** Kafka puts a slash before an address. */
export function addressOf(host: string): string {
  return host.replace(/^\//, '')
}
