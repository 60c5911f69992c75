import type { Admin, GroupDescription, PartitionLag } from '@sluice/kafka'
import { CliError } from '../cli-error.ts'
import { nearest } from '../nearest.ts'
import type { Cell } from '../output/table.ts'
import { isRefused } from './refused.ts'

/** A group, and how far it is behind. */
export interface GroupLag extends GroupDescription {
  /** Of all its partitions. */
  readonly lag: number
  readonly partitions: readonly OwnedLag[]
}

export interface OwnedLag extends PartitionLag {
  /** Who reads it now; null where nobody does. */
  readonly member: { readonly clientId: string; readonly instanceId: string | null; readonly host: string } | null
}

/** @throws CliError that names what is most like the one that is missing */
export async function describeGroup(admin: Admin, group: string): Promise<GroupDescription> {
  try {
    const [described] = await admin.describeGroups([group])
    return described!
  } catch (error) {
    if (!isRefused(error, 'GROUP_ID_NOT_FOUND')) throw error
    const meant = nearest(
      group,
      (await admin.listGroups()).map((one) => one.group),
    )
    throw new CliError(
      'group_unknown',
      `there is no group ${group}`,
      `${meant === undefined ? '' : `did you mean ${meant}? `}\`sluice groups list\` shows what there is`,
    )
  }
}

/** Groups with the lag of each partition that they have committed in or read: of these, else of all. */
export async function lagsOfGroups(admin: Admin, names: readonly string[]): Promise<readonly GroupLag[]> {
  const described = names.length > 0 ? await describeNamed(admin, names) : await describeAll(admin)
  const queries = described.map(({ group, members }) => {
    const topics = new Set(members.flatMap(({ assignment }) => assignment.map(({ topic }) => topic)))
    return { group, topics: [...topics] }
  })
  const lags = await admin.lags(queries)
  return described.map((group) => withLag(group, lags.get(group.group) ?? []))
}

async function describeNamed(admin: Admin, names: readonly string[]): Promise<readonly GroupDescription[]> {
  const described: GroupDescription[] = []
  for (const name of names) described.push(await describeGroup(admin, name))
  return described
}

/** One that went away between the list and the question is left out. */
async function describeAll(admin: Admin): Promise<readonly GroupDescription[]> {
  let names = (await admin.listGroups()).map(({ group }) => group)
  for (;;) {
    try {
      return await admin.describeGroups(names)
    } catch (error) {
      const left = names.filter((name) => name !== (error as { group?: unknown }).group)
      if (!isRefused(error, 'GROUP_ID_NOT_FOUND') || left.length === names.length) throw error
      names = left
    }
  }
}

function withLag(described: GroupDescription, lags: readonly PartitionLag[]): GroupLag {
  const owners = new Map<string, OwnedLag['member']>()
  for (const { clientId, instanceId, host, assignment } of described.members) {
    for (const { topic, partitions } of assignment) {
      for (const partition of partitions) owners.set(`${topic}/${partition}`, { clientId, instanceId, host })
    }
  }
  const partitions = lags.map((one) => ({ ...one, member: owners.get(`${one.topic}/${one.partition}`) ?? null }))
  return { ...described, partitions, lag: partitions.reduce((sum, { lag }) => sum + lag, 0) }
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

export const partitionTitles = ['TOPIC', 'PARTITION', 'COMMITTED', 'END', 'LAG', 'MEMBER', 'HOST'] as const

export function partitionRow({ topic, partition, committed, end, lag, member }: OwnedLag): readonly Cell[] {
  return [
    topic,
    partition,
    committed,
    end,
    lag,
    member?.instanceId ?? member?.clientId,
    member && addressOf(member.host),
  ]
}

/** Kafka puts a slash before an address. */
export function addressOf(host: string): string {
  return host.replace(/^\//, '')
}
