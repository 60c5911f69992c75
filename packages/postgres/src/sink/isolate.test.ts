import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Transaction } from '../sql/transaction.ts'
import { isolate } from './isolate.ts'

/** Savepoints alone: what was done since one is undone by going back to it. */
function fakeTransaction() {
  const done: number[] = []
  const savepoints: number[] = []
  const query = (statement: string): Promise<void> => {
    if (statement.startsWith('SAVEPOINT')) savepoints.push(done.length)
    if (statement.startsWith('ROLLBACK TO')) done.length = savepoints.at(-1)!
    if (statement.includes('RELEASE')) savepoints.pop()
    return Promise.resolve()
  }
  return { tx: { query } as unknown as Transaction, done, savepoints }
}

it('does all that can be done, in order, and names exactly what cannot, for any of both', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(fc.nat(200)), fc.func(fc.boolean()), async (records, isBad) => {
      const { tx, done, savepoints } = fakeTransaction()
      const failed: number[] = []
      const call = async (part: readonly number[]): Promise<void> => {
        for (const record of part) {
          done.push(record)
          if (isBad(record)) throw new Error(`not ${record}`)
        }
      }
      await isolate(tx, records, call, (record) => failed.push(record))
      expect(done).toEqual(records.filter((record) => !isBad(record)))
      expect(failed).toEqual(records.filter((record) => isBad(record)))
      expect(savepoints).toEqual([])
    }),
  )
})

it('finds one among a thousand in few calls', async () => {
  let calls = 0
  const call = async (part: readonly number[]): Promise<void> => {
    calls++
    if (part.includes(617)) throw new Error('not this')
  }
  const records = Array.from({ length: 1_000 }, (_, index) => index)
  await isolate(fakeTransaction().tx, records, call, () => {})
  expect(calls).toBeLessThanOrEqual(21)
})

it('gives all of it up for an error that is no fault of a record', async () => {
  const missing = Object.assign(new Error('no table'), { code: '42P01' })
  const call = () => Promise.reject(missing)
  await expect(isolate(fakeTransaction().tx, [1, 2], call, () => {})).rejects.toBe(missing)
})
