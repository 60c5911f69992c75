import { expect, test } from 'vitest'
import { planKills } from './crashes.ts'
import { pointsOf, ways } from './exactly-once/ways.ts'
import { seededRandom } from './proof.ts'
import { planFreezes } from './zombie.ts'

test.each(ways)(
  'the same seed gives the same kills of %s, another one others, at every point and at any time',
  (way) => {
    const plan = (seed: number) => planKills(way, 60, seededRandom(seed))
    expect(plan(7)).toEqual(plan(7))
    expect(plan(7)).not.toEqual(plan(8))
    const kills = plan(7).flat()
    expect(kills).toHaveLength(60)
    const points = kills.map((kill) => (kill.kind === 'time' ? 'any time' : kill.at))
    expect(new Set(points)).toEqual(new Set([...Object.keys(pointsOf[way]), 'any time']))
  },
)

test.each(['pipe', 'sink'] as const)(
  'the same seed freezes owners of %s in the same way, another one in others',
  (way) => {
    const plan = (seed: number) => planFreezes(way, 30, seededRandom(seed))
    expect(plan(7)).toEqual(plan(7))
    expect(plan(7)).not.toEqual(plan(8))
    const outlasting = plan(7).filter(({ thenMs }) => thenMs > 1_000)
    expect(new Set(outlasting.map(({ at }) => at))).toEqual(new Set(plan(7).map(({ at }) => at)))
  },
)
