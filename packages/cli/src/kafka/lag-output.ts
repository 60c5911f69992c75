import { figure } from '../output/figures.ts'
import { printable } from '../output/printable.ts'
import { type Cell, tableLines } from '../output/table.ts'
import { belowTable, reasonOf, unknownLines } from '../output/unknown.ts'
import { addressOf, type GroupLag, type OwnedLag } from './groups.ts'

/** `30`; `>= 30` where some partitions are not known, and nothing where none is. */
export function lagCell({ lag, unknown }: GroupLag): string | number | null {
  return lag === null || unknown.length === 0 ? lag : `>= ${figure(lag)}`
}

/** The same in a sentence: `30`, `at least 30`, `an unknown number of records`. */
export function behind({ lag, unknown }: GroupLag): string {
  if (lag === null) return 'an unknown number of records'
  return unknown.length === 0 ? figure(lag) : `at least ${figure(lag)}`
}

/** A group by partition, with what an open transaction holds back, and the reasons for what is not known. */
export function partitionLines(one: GroupLag): string[] {
  const { partitions, unknown } = one
  const table = partitions.length === 0 ? [nothingLine(one)] : tableOf(partitions)
  return [...table, ...belowTable([...heldLines(one), ...goneLines(one), ...unknownLines(unknown)])]
}

/** A line for each topic that a member still reads though it is gone. */
export function goneLines({ group, goneTopics }: GroupLag): string[] {
  return goneTopics.map((topic) =>
    printable(`${topic} was deleted and has no lag: a member of ${group} still has it assigned`),
  )
}

/** For programs. */
export function partitionJson(one: OwnedLag) {
  const { topic, partition, committed, start, end, held, lag, member } = one
  const error = 'error' in one ? reasonOf(one.error) : null
  return { topic, partition, committed, start, end, held, lag, member, error }
}

/** For programs: what of the group is not known, and why. */
export function unknownJson({ unknown }: GroupLag) {
  return unknown.map(({ what, error }) => ({ what, error: reasonOf(error) }))
}

function nothingLine({ unknown }: GroupLag): string {
  return unknown.length === 0 ? 'nothing is committed' : 'what it has committed is not known'
}

/** What an open transaction holds has a column where there is some. */
function tableOf(partitions: readonly OwnedLag[]): string[] {
  const isHeld = partitions.some(hasHeld)
  const titles = ['TOPIC', 'PARTITION', 'COMMITTED', 'END', 'LAG', ...(isHeld ? ['HELD'] : []), 'MEMBER', 'HOST']
  const rows = partitions.map(({ topic, partition, committed, end, lag, held, member }): readonly Cell[] => [
    topic,
    partition,
    committed,
    end,
    lag,
    ...(isHeld ? [held] : []),
    member?.instanceId ?? member?.clientId,
    member && addressOf(member.host),
  ])
  return tableLines(titles, rows)
}

/** A line where an open transaction holds records back. */
export function heldLines({ partitions }: GroupLag): string[] {
  const held = partitions.filter(hasHeld).map(({ topic, partition }) => `${topic}/${partition}`)
  if (held.length === 0) return []
  const what = `HELD: an open transaction holds records of ${held.join(', ')} back from readers of committed records`
  return [printable(`${what}; \`sluice transactions list --topic TOPIC\` finds its producer`)]
}

function hasHeld({ held }: OwnedLag): boolean {
  return held !== null && held > 0
}
