import { describe, expect, test } from 'vitest'
import type { FedRecord } from './feed.ts'
import { groupAnomalies, type GroupRun } from './group-verdict.ts'
import type { MemberEvent } from './members.ts'
import { seededRandom } from './proof.ts'
import { planFaults } from './rebalance.ts'

test('the same seed gives the same faults, another one others', () => {
  const plan = (seed: number) => planFaults(200, seededRandom(seed))
  expect(plan(7)).toEqual(plan(7))
  expect(plan(7)).not.toEqual(plan(8))
  expect(new Set(plan(7).map(({ kind }) => kind))).toEqual(
    new Set(['join', 'leave', 'freeze', 'kill', 'kill and restart']),
  )
})

describe('the verdict on a group', () => {
  /** Ten records of one partition, two keys, one a second; each handled at once, for 100 ms, by `a`. */
  function soundRun() {
    const events: MemberEvent[] = [{ process: 'a', what: 'assigned', partition: 0, offset: 0, atMs: 0 }]
    const sent: FedRecord[] = Array.from({ length: 10 }, (_, offset) => {
      const at = { process: 'a', partition: 0, offset }
      const acknowledgedMs = 1_000 * (offset + 1)
      events.push(
        { ...at, what: 'begin', atMs: acknowledgedMs + 10 },
        { ...at, what: 'end', atMs: acknowledgedMs + 110 },
      )
      return { key: offset % 2, partition: 0, offset, acknowledgedMs, outcome: 'acknowledged' }
    })
    const topic = new Map([[0, sent.map((_, offset) => String(offset))]])
    return { sent, topic, events, faults: [], stallMs: 2_000 } satisfies GroupRun
  }

  const of = (events: readonly MemberEvent[], offset: number, what: string): MemberEvent =>
    events.find((event) => event.offset === offset && event.what === what)!

  test('finds nothing in a sound run', () => {
    expect(groupAnomalies(soundRun())).toEqual([])
  })

  test('finds what nobody handled, and what was committed before it was', () => {
    const { events, ...run } = soundRun()
    const without = events.filter(({ offset, what }) => offset !== 4 || what === 'assigned')
    expect(groupAnomalies({ ...run, events: without })).toEqual([expect.stringMatching(/^unhandled: 1.*0\/4/)])
    const commit = { process: 'a', what: 'commit' as const, partition: 0, offset: 6, atMs: 5_050 }
    const early = [...events, commit].toSorted((a, b) => a.atMs - b.atMs)
    expect(groupAnomalies({ ...run, events: early })).toEqual([expect.stringMatching(/^gap: 2/)])
  })

  test('finds a key that was handled out of order', () => {
    const { events, ...run } = soundRun()
    const swapped = events
      .map((event) =>
        event.what !== 'assigned' && event.offset === 2 ? { ...event, atMs: event.atMs + 2_500 } : event,
      )
      .toSorted((a, b) => a.atMs - b.atMs)
    expect(groupAnomalies({ ...run, events: swapped, stallMs: 9_000 })).toEqual([expect.stringMatching(/^reorder: 1/)])
  })

  test('finds a partition that two handle at once, unless one was stopped or killed in the middle', () => {
    const { events, ...run } = soundRun()
    const { atMs } = of(events, 3, 'begin')
    const other = (what: 'assigned' | 'begin' | 'end', ms: number): MemberEvent => {
      return { process: 'b', what, partition: 0, offset: 3, atMs: atMs + ms }
    }
    const both = [...events, other('assigned', 40), other('begin', 50), other('end', 60)]
    const overlapping = both.toSorted((a, b) => a.atMs - b.atMs)
    expect(groupAnomalies({ ...run, events: overlapping })).toEqual([
      expect.stringMatching(/^handled by two at once: 1/),
    ])
    const fault = { process: 'a', fromMs: atMs + 20, toMs: atMs + 80 }
    expect(groupAnomalies({ ...run, events: overlapping, faults: [fault] })).toEqual([])
    const lost: MemberEvent = { process: 'a', what: 'lost', partition: 0, offset: 3, atMs: atMs + 200 }
    const taken = [...overlapping, lost].toSorted((a, b) => a.atMs - b.atMs)
    expect(groupAnomalies({ ...run, events: taken })).toEqual([])
    // It is the next owner who begins while the former one still does.
    const swapped = taken.map((event) => (event.what === 'lost' ? { ...event, process: 'b' } : event))
    expect(groupAnomalies({ ...run, events: swapped })).toEqual([expect.stringMatching(/^handled by two at once: 1/)])
  })

  test('finds a partition that stands still, counted from the last fault it suffered', () => {
    const { events, ...run } = soundRun()
    const late = events.map((event) => (event.atMs > 5_000 ? { ...event, atMs: event.atMs + 3_000 } : event))
    expect(groupAnomalies({ ...run, events: late })).toEqual([
      expect.stringMatching(/^stall: 1, such as partition 0 stood still for 3110 ms/),
    ])
    const fault = { fromMs: 6_500, toMs: 6_600 }
    expect(groupAnomalies({ ...run, events: late, faults: [{ ...fault, process: 'b' }] })).toHaveLength(1)
    expect(groupAnomalies({ ...run, events: late, faults: [{ ...fault, process: 'a' }] })).toEqual([])
  })
})
