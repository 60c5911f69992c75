import { SluiceError } from '@sluice/flow'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as postgres from './index.ts'

const place = { topic: 't', partition: 0 }
const samples: readonly SluiceError[] = [
  new postgres.TablesMissingError('t', new Error('m')),
  new postgres.PostgresUnavailableError(new Error('m')),
  new postgres.PositionChangedError(place, 1, 2),
  new postgres.FencedError(place),
  new postgres.CommitInDoubtError(new Error('m')),
  new postgres.TransactionAbortedError(),
  new postgres.TransactionEndedError(),
  new postgres.TransactionTimeoutError(1),
  new postgres.RedisUnavailableError(new Error('m')),
  new postgres.ClaimHeldError('k'),
]

/** Rows of our part of the page; the test of @sluice/kafka compares the others. */
function documented(): ReadonlyMap<string, unknown> {
  const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
  const part = /^## @sluice\/postgres\n(.*?)(?=^## |$(?![^]))/ms.exec(page)?.[1] ?? ''
  const rows = part.matchAll(/^\| `(\w+)` +\| `(\w+)` +\| (yes|no) +\|(.*?)\| .+ \|$/gm)
  return new Map(
    Array.from(rows, ([, code, name, retriable, facts]) => {
      const names = Array.from(facts!.matchAll(/`(\w+)`/g), ([, fact]) => fact!)
      return [name!, { code: code!, retriable: retriable === 'yes', facts: names.toSorted() }]
    }),
  )
}

test('the table of errors says of each what the code does, and has no other', () => {
  const ofCode = samples.map((error): [string, unknown] => {
    const facts = Object.keys(error).filter((key) => !['code', 'retriable', 'name', 'cause'].includes(key))
    return [error.name, { code: error.code, retriable: error.retriable, facts: facts.toSorted() }]
  })
  expect(documented()).toEqual(new Map(ofCode))
  const exported = Object.values(postgres).filter(
    (one) => typeof one === 'function' && one.prototype instanceof SluiceError,
  )
  expect(exported).toHaveLength(samples.length)
})
