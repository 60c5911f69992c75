import { ManualClock } from '@sluice/flow'
import { beforeEach, describe, expect, it } from 'vitest'
import { Reporter } from './reporter.ts'

describe('Reporter', () => {
  const clock = new ManualClock()
  let sent: number[]
  let taken: (() => void)[]
  let count: number
  let reporter: Reporter<number>

  beforeEach(() => {
    sent = []
    taken = []
    count = 0
    reporter = new Reporter<number>({
      read: () => count,
      send: (report, onSent) => {
        sent.push(report)
        taken.push(onSent)
      },
      clock,
    })
  })

  it('sends no further one while one is on its way', () => {
    reporter.tick()
    count = 1
    reporter.tick()
    expect(sent).toEqual([0])
    taken[0]!()
    reporter.tick()
    expect(sent).toEqual([0, 1])
  })

  it('sends the last one also where one is on its way', async () => {
    reporter.tick()
    count = 7
    const finished = reporter.finish()
    taken[0]!()
    await clock.advanceAsync(1)
    expect(sent).toEqual([0, 7])
    taken[1]!()
    await finished
  })

  it('gives up on a supervisor that does not read', async () => {
    reporter.tick()
    const finished = reporter.finish()
    await clock.advanceAsync(2_001)
    await finished
    expect(sent).toEqual([0])
  })

  it('tells nobody where there is nobody to tell', async () => {
    const alone = new Reporter<number>({ read: () => undefined, send: () => expect.unreachable(), clock })
    alone.tick()
    await alone.finish()
  })
})
