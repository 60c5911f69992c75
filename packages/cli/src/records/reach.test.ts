import type { Admin, OffsetSurvey } from '@sluice/kafka'
import { expect, test } from 'vitest'
import { reachLines, reachOf } from './reach.ts'

/** One partition, to which a record is written after each answer; `held` of them are in an open transaction. */
function busyTopic(held: number): Admin {
  let end = 100
  const admin: Pick<Admin, 'surveyOffsets'> = {
    surveyOffsets: async (_topics, _at, options): Promise<OffsetSurvey> => {
      const offset = options?.isolation === 'read_committed' ? end - held : end
      end += 1
      return { offsets: [{ topic: 'orders', partition: 0, offset, leaderEpoch: 0 }], unknown: [] }
    },
  }
  return admin as Admin
}

const linesOf = async (admin: Admin): Promise<string[]> => reachLines(await reachOf(admin, 'orders', undefined, {}), {})

test('records that were written while the ends were asked for are not called held', async () => {
  expect(await linesOf(busyTopic(0))).toEqual([])
})

test('records that an open transaction holds are named', async () => {
  expect(await linesOf(busyTopic(50))).toEqual([
    expect.stringMatching(/^orders\/0: an open transaction holds 4\d records back/),
  ])
})
