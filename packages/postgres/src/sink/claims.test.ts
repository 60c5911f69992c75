import type { StoredPartition } from '@sluice/kafka'
import { describe, expect, it } from 'vitest'
import { Claims } from './claims.ts'
import { type Claim } from './claim.ts'
import type { Offsets } from './offsets.ts'

const assignment = (partition = 0): StoredPartition => ({
  topic: 't',
  topicId: 'id',
  partition,
  confirm: () => Promise.resolve('mine'),
})

/** A table whose answers come when the test says so. */
function slowOffsets() {
  const takes: { readonly claims: readonly Claim[]; readonly answer: (error?: Error) => void }[] = []
  let epoch = 0
  const take = (claims: readonly Claim[]): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const answer = (error?: Error): void => {
      if (error) return reject(error)
      for (const claim of claims) Object.assign(claim, { epoch: ++epoch, next: 10 * claim.held.partition })
      resolve()
    }
    takes.push({ claims, answer })
    return promise
  }
  return { claims: new Claims({ take } as unknown as Offsets), takes }
}

describe('claims', () => {
  it('say where partitions begin, until these are taken away', async () => {
    const { claims, takes } = slowOffsets()
    const [first, second] = [assignment(1), assignment(2)]
    const answer = claims.assigned([first, second])
    takes[0]!.answer()
    expect(await answer).toEqual([10, 20])
    expect(claims.of('t', 2)).toMatchObject({ next: 20, held: second })
    claims.released(second)
    expect(claims.of('t', 2)).toBeUndefined()
    expect(claims.inspect()).toEqual([{ topic: 't', partition: 1, epoch: 1, next: 10 }])
  })

  it('of an assignment that is over are not taken for those of the present one, whenever they come', async () => {
    const { claims, takes } = slowOffsets()
    const [before, now] = [assignment(), assignment()]
    const late = claims.assigned([before])
    claims.released(before)
    const present = claims.assigned([now])
    takes[1]!.answer()
    await present
    takes[0]!.answer()
    await late
    expect(claims.of('t', 0)?.held).toBe(now)
  })

  it('that cannot be had now are asked for again, and those that cannot be had at all are an error', async () => {
    const { claims, takes } = slowOffsets()
    const locked = claims.assigned([assignment()])
    takes[0]!.answer(Object.assign(new Error('lock timeout'), { code: '55P03' }))
    await expect(locked).rejects.toMatchObject({ code: 'postgres_unavailable', retriable: true })
    const broken = Object.assign(new Error('permission denied'), { code: '42501' })
    const refused = claims.assigned([assignment()])
    takes[1]!.answer(broken)
    await expect(refused).rejects.toBe(broken)
  })
})
