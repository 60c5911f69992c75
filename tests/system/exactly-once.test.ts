import { expect, test } from 'vitest'
import { commit } from '../chaos/commit.ts'
import { crashes } from '../chaos/crashes.ts'
import { endTxn } from '../chaos/end-txn.ts'
import { outbox } from '../chaos/outbox.ts'
import type { Proof } from '../chaos/proof.ts'
import { zombie } from '../chaos/zombie.ts'

// The short rounds of `npm run chaos`: see docs/proofs.md.
test.each<[title: string, proof: Proof, args: string]>([
  ['by pipe, sink and handler, with members that are killed', crashes, '--kills 9 --records 4000'],
  ['by pipe and sink, with owners that are frozen', zombie, '--times 2'],
  ['with COMMITs in doubt', commit, '--times 100'],
  ['with ends of transactions that come late', endTxn, '--times 1'],
  ['from the outbox, with relays that are killed', outbox, '--times 3'],
])('what is to happen once does, %s', { timeout: 240_000 }, async (_, proof, args) => {
  const said: string[] = []
  const anomalies = await proof.run(['--seed', '5', ...args.split(' ')], (line) => said.push(line))
  expect(anomalies, said.join('\n')).toEqual([])
})
