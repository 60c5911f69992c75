import { describe, expect, test } from 'vitest'
import { failureAnomalies, type FailureEvent, type FailureRun } from './failure-verdict.ts'

/** `what id attempt time [process]`, one a word group. */
const events = (...lines: string[]): FailureEvent[] =>
  lines.map((line) => {
    const [what, id, attempt, atMs, process = 'm0'] = line.split(' ') as [FailureEvent['what'], ...string[]]
    return { process, what, id: Number(id), attempt: Number(attempt), atMs: Number(atMs) }
  })

/** Records 0 and 2 have key 0, record 1 has key 1 and is hopeless. */
const run = (...lines: string[]): FailureRun => ({
  keys: [0, 1, 0],
  events: events(...lines),
  hopeless: new Set([1]),
  letters: new Set([1]),
  waitMs: () => 1_000,
})

const good = ['begin 0 1 0', 'failed 0 1 1', 'begin 1 1 2', 'failed 1 1 3', 'buried 1 0 4']
const rest = ['begin 0 2 1005', 'end 0 2 1006', 'begin 2 1 1007', 'end 2 1 1008']

describe('the verdict on failures', () => {
  test('finds nothing where all is well, and where a kill lets an end come twice or another process go on', () => {
    expect(failureAnomalies(run(...good, ...rest))).toEqual([])
    expect(failureAnomalies(run(...good, ...rest, 'begin 0 1 2000 m1', 'end 0 1 2001 m1'))).toEqual([])
    expect(failureAnomalies(run(...good, 'begin 0 2 9000 m1', 'end 0 2 9001 m1', ...rest.slice(2)))).toEqual([])
  })

  test('does not take an attempt that another process came before for a late one', () => {
    const moved = ['begin 0 2 1005 m1', 'failed 0 2 1006 m1', 'begin 0 2 9000', 'end 0 2 9001']
    expect(failureAnomalies(run(...good, ...moved, ...rest.slice(2)))).toEqual([])
  })

  test('takes off how long the process had no processor, and no other time or process', () => {
    const late = ['begin 0 2 1300', ...rest.slice(1)]
    const verdict = (...starved: string[]): string[] => failureAnomalies(run(...good, ...starved, ...late))
    expect(verdict('starved 0 280 1299')).toEqual([])
    expect(verdict('starved 0 280 1299 m1')).toHaveLength(1)
    expect(verdict('starved 0 400 990')).toHaveLength(1)
  })

  test.each([
    ['an end that is missing', [...good, ...rest.slice(0, 3)], ['2 neither ended well']],
    [
      'a record that overtook',
      [...good, 'begin 2 1 5', 'end 2 1 6', ...rest.slice(0, 2)],
      ['2 of key 0 began before 0'],
    ],
    ['an attempt that came early', [...good, 'begin 0 2 990', ...rest.slice(1)], ['attempt 2 of 0 came 11 ms early']],
    ['one that came late', [...good, 'begin 0 2 1300', ...rest.slice(1)], ['attempt 2 of 0 came 299 ms late']],
  ])('finds %s', (_, lines, found) => {
    expect(failureAnomalies(run(...lines))).toEqual(found.map((text) => expect.stringContaining(text)))
  })

  test('finds a dead letter that is missing, and one that should not be', () => {
    const letters = new Set([0])
    expect(failureAnomalies({ ...run(...good, ...rest), letters })).toEqual([
      expect.stringContaining('1 neither'),
      expect.stringContaining('0 became a dead letter'),
    ])
  })
})
