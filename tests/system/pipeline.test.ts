import { expect, test } from 'vitest'
import { pipeline } from '../chaos/pipeline.ts'

// The short rounds of `npm run chaos -- pipeline`: the whole demo on real servers, compared with its ledger.
const run = async (...args: string[]): Promise<readonly string[]> => {
  const said: string[] = []
  const anomalies = await pipeline.run(args, (line) => said.push(line))
  return anomalies.length === 0 ? [] : [...anomalies, ...said]
}

test('undisturbed, every order is in the topic and in PostgreSQL and was handled exactly once', async () => {
  expect(await run('--rate', '1000', '--seconds', '5')).toEqual([])
}, 900_000)

test('with a consumer killed in the middle nothing is lost, and repeats stay within what was not yet committed', async () => {
  expect(await run('--rate', '1000', '--seconds', '10', '--kill', 'consumer')).toEqual([])
}, 900_000)
