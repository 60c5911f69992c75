import { expect, test } from 'vitest'
import { runAll } from './all.ts'
import type { Proof } from './proof.ts'

const proof = (run: Proof['run']): Proof => ({ title: 't', usage: 'u', quick: ['--times', '1'], run })

test('runs every proof, briefly where that was said, and tells a line for each; one that throws stops no other', async () => {
  const given: (readonly string[])[] = []
  const said: string[] = []
  const proofs = new Map([
    ['good', proof((args) => (given.push(args), Promise.resolve([])))],
    ['torn', proof(() => Promise.reject(new Error('no broker')))],
    [
      'bad',
      proof((args, tell) => {
        given.push(args)
        tell('what it did')
        return Promise.resolve(['one was lost'])
      }),
    ],
  ])
  const found = await runAll(proofs, true, (line) => said.push(line))
  expect(found).toEqual([expect.stringMatching(/^torn: Error: no broker/), 'bad: one was lost'])
  expect(given).toEqual([
    ['--times', '1'],
    ['--times', '1'],
  ])
  const verdicts = said.filter((line) => !line.startsWith(' '))
  expect(verdicts.map((line) => line.split(/ {2,}/)[0])).toEqual(['good', 'torn', 'bad'])
  expect(said).toContain('  what it did')
  given.length = 0
  await runAll(proofs, false, () => undefined)
  expect(given).toEqual([[], []])
})
