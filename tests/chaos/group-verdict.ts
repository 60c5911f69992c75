import type { FedRecord } from './feed.ts'
import { check } from './history/check.ts'
import { History } from './history/history.ts'
import type { MemberEvent, MemberFault } from './members.ts'

/** What is known of a run: by the producer, by an independent reader of the topic, by the members of the group. */
export interface GroupRun {
  readonly sent: readonly FedRecord[]
  /** By partition the numbers of the records, at their offsets. */
  readonly topic: ReadonlyMap<number, readonly string[]>
  readonly events: readonly MemberEvent[]
  readonly faults: readonly MemberFault[]
  /** A partition with something to do may stand still for so long. */
  readonly stallMs: number
}

/** What must not have happened. */
export function groupAnomalies(run: GroupRun): string[] {
  const verdict = check(historyOf(run), { effects: 'at least once', complete: true })
  const describe = (id: number): string => {
    const record = run.sent[id]
    return record === undefined ? `${id}` : `${id} (${record.partition}/${record.offset}, key ${record.key})`
  }
  return [...verdict.sentences(describe), ...summed('handled by two at once', overlaps(run)), ...stalls(run)]
}

function historyOf({ sent, topic, events }: GroupRun): History {
  const history = new History()
  for (const { key, partition, offset, outcome } of sent) {
    history.send({ producer: 0, partition, lane: key, outcome, offset })
  }
  for (const [partition, ids] of topic) {
    ids.forEach((id, offset) => {
      if (id !== undefined) history.logged(partition, offset, Number(id))
    })
  }
  const incarnations = new Incarnations()
  for (const event of events) {
    const { what, partition, offset } = event
    if (what === 'assigned') incarnations.begin(event)
    else if (what === 'end') history.handled(incarnations.of(event), Number(topic.get(partition)?.[offset] ?? -1))
    else if (what === 'commit') history.committed(incarnations.of(event), partition, offset)
  }
  return history
}

/** Each assignment of a partition to a process has a number. */
class Incarnations {
  readonly #numbers = new Map<string, number>()
  #last = 0

  begin({ process, partition }: MemberEvent): void {
    this.#numbers.set(`${process}/${partition}`, ++this.#last)
  }

  of({ process, partition }: MemberEvent): number {
    return this.#numbers.get(`${process}/${partition}`) ?? 0
  }
}

interface Handling {
  readonly process: string
  readonly partition: number
  readonly offset: number
  readonly beginMs: number
  endMs: number
}

/** Between the call and the stop of the process. */
const signalMs = 50

/**
 * Handlings of one partition by two processes that overlap in time. Not counted are those that a kill cut off, those that
 * ran when their process was stopped, and those that had begun when the group took the partition away: the consumer
 * cannot undo what a handler does before it can know (DESIGN.md). One that begins later counts.
 */
function overlaps({ events, faults }: GroupRun): string[] {
  const found: string[] = []
  for (const own of Map.groupBy(handlingsOf(events), ({ partition }) => partition).values()) {
    let latest: Handling | undefined
    for (const next of own.filter((handling) => !wasCutOff(handling, faults))) {
      const areTwo = latest !== undefined && latest.process !== next.process && latest.endMs > next.beginMs
      if (areTwo && !wasLost(latest!, events)) {
        found.push(`${next.partition}/${latest!.offset} by ${latest!.process}, ${next.offset} by ${next.process}`)
      }
      if (latest === undefined || next.endMs > latest.endMs) latest = next
    }
  }
  return found
}

/** Whether the group took the partition from that process while it handled it: it had not answered for too long. */
function wasLost({ process, partition, beginMs }: Handling, events: readonly MemberEvent[]): boolean {
  const isOwn = (event: MemberEvent): boolean => event.process === process && event.partition === partition
  const next = events.find((event) => event.atMs > beginMs && isOwn(event) && comesOrGoes.has(event.what))
  return next?.what === 'lost'
}

const comesOrGoes: ReadonlySet<string> = new Set(['assigned', 'revoked', 'lost'])

/** In the order in which they began. */
function handlingsOf(events: readonly MemberEvent[]): Handling[] {
  const handlings: Handling[] = []
  const open = new Map<string, Handling>()
  for (const { what, process, partition, offset, atMs } of events) {
    const place = `${process}/${partition}/${offset}`
    if (what === 'begin') {
      const handling = { process, partition, offset, beginMs: atMs, endMs: Infinity }
      handlings.push(handling)
      open.set(place, handling)
    } else if (what === 'end') open.get(place)!.endMs = atMs
  }
  return handlings
}

function wasCutOff({ process, beginMs, endMs }: Handling, faults: readonly MemberFault[]): boolean {
  return faults.some(
    (fault) => fault.process === process && beginMs <= fault.fromMs + signalMs && endMs >= fault.fromMs,
  )
}

/** Times in which a partition had something to do and nothing of it was done, counted from the last fault it suffered. */
export function standstills(run: Omit<GroupRun, 'stallMs'>): { readonly partition: number; readonly ms: number }[] {
  const found: { readonly partition: number; readonly ms: number }[] = []
  for (const [partition, ids] of run.topic) {
    const events = run.events.filter((event) => event.partition === partition)
    const done = firstEnds(events, ids.length)
    const faults = run.faults.filter((fault) => suffers(fault, events)).map(({ fromMs }) => fromMs)
    for (const { fromMs, toMs } of idleTimes(ids, done, run.sent)) {
      const lastFaultMs = Math.max(-Infinity, ...faults.filter((atMs) => atMs < toMs))
      found.push({ partition, ms: Math.round(toMs - Math.max(fromMs, lastFaultMs)) })
    }
  }
  return found.toSorted((a, b) => b.ms - a.ms)
}

function stalls(run: GroupRun): string[] {
  const tooLong = standstills(run).filter(({ ms }) => ms > run.stallMs)
  return summed(
    'stall',
    tooLong.map(({ partition, ms }) => `partition ${partition} stood still for ${ms} ms`),
  )
}

/** Whether the process had the partition then, or nobody is known to have had it. */
function suffers(fault: MemberFault, events: readonly MemberEvent[]): boolean {
  const last = events.findLast(({ atMs }) => atMs <= fault.fromMs)
  return last === undefined || last.what === 'revoked' || last.what === 'lost' || last.process === fault.process
}

function firstEnds(events: readonly MemberEvent[], count: number): Float64Array {
  const ends = new Float64Array(count).fill(Infinity)
  for (const { what, offset, atMs } of events) if (what === 'end' && atMs < ends[offset]!) ends[offset] = atMs
  return ends
}

/** From when there was something to do, or from when something was done before, until something was done. */
function* idleTimes(ids: readonly string[], done: Float64Array, sent: readonly FedRecord[]) {
  const inOrder = Array.from(done, (toMs, offset) => ({ toMs, dueMs: sent[Number(ids[offset])]?.acknowledgedMs ?? 0 }))
    .filter(({ toMs }) => toMs < Infinity)
    .toSorted((a, b) => a.toMs - b.toMs)
  // The oldest of what was not done yet, from each on.
  let oldestMs = Infinity
  const oldest = inOrder.toReversed().map(({ dueMs }) => (oldestMs = Math.min(oldestMs, dueMs)))
  for (const [index, { toMs }] of inOrder.entries()) {
    const dueMs = oldest[inOrder.length - 1 - index]!
    yield { fromMs: Math.max(dueMs, inOrder[index - 1]?.toMs ?? -Infinity), toMs }
  }
}

function summed(anomaly: string, found: readonly string[]): string[] {
  return found.length === 0 ? [] : [`${anomaly}: ${found.length}, such as ${found.slice(0, 3).join('; ')}`]
}
