import { expect, test } from 'vitest'
import { seededRandom } from '../proof.ts'
import { check } from './check.ts'
import { faults } from './plant.ts'
import { sampleHandlings, sampleSends, toHistory } from './sample-run.ts'
import { anomalies } from './verdict.ts'

const planted = 1_000

test.each([false, true])('a sound history is found sound, with crashes: %j', (crashes) => {
  const random = seededRandom(7)
  const run = sampleSends(100_000, random)
  sampleHandlings(run, random, crashes)
  const effects = crashes ? 'at least once' : 'exactly once'
  expect(check(toHistory(run), { effects, complete: true }).sentences()).toEqual([])
})

test('a crash repeats what was handled: once is not promised then', () => {
  const random = seededRandom(7)
  const run = sampleSends(10_000, random)
  sampleHandlings(run, random, true)
  const verdict = check(toHistory(run), { effects: 'exactly once', complete: true })
  expect(verdict.witnesses('duplicate').length).toBeGreaterThan(0)
})

test.each(faults)('all are found where $title: $anomaly', ({ anomaly, inLog, inHandlings, exactlyOnce = false }) => {
  const random = seededRandom(11)
  const run = sampleSends(150_000, random)
  const inLogFound = inLog?.(run, planted)
  sampleHandlings(run, random, !exactlyOnce)
  const expected = inLogFound ?? inHandlings!(run, planted)
  const verdict = check(toHistory(run), {
    effects: exactlyOnce ? 'exactly once' : 'at least once',
    complete: true,
  })
  expect(expected.length).toBeGreaterThanOrEqual(planted)
  expect(verdict.witnesses(anomaly).toSorted(numerically)).toEqual(expected.toSorted(numerically))
  const others = anomalies.filter((other) => other !== anomaly && verdict.witnesses(other).length > 0)
  expect(others).toEqual([])
})

test('a verdict names each anomaly with its number and a few witnesses', () => {
  const random = seededRandom(3)
  const run = sampleSends(10_000, random)
  const lost = faults.find(({ anomaly }) => anomaly === 'lost')
  const ids = lost!.inLog!(run, 5)
  const verdict = check(toHistory(run), { effects: 'at least once', complete: false })
  expect(verdict.isSound).toBe(false)
  expect(verdict.sentences((id) => `order ${id}`)).toEqual([
    `lost: 5, such as ${ids
      .toSorted(numerically)
      .slice(0, 3)
      .map((id) => `order ${id}`)
      .join(', ')}`,
  ])
})

const numerically = (a: number, b: number): number => a - b
