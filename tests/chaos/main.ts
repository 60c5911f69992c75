// `npm run chaos -- PROOF [options]`: prints the verdict, and ends with 1 on any anomaly. Without a name it lists what
// there is.
import { broker } from './broker.ts'
import { checker } from './checker.ts'
import { commit } from './commit.ts'
import { crashes } from './crashes.ts'
import { endTxn } from './end-txn.ts'
import { failure } from './failure.ts'
import { lostOffsets } from './lost-offsets.ts'
import { memory } from './memory.ts'
import { outbox } from './outbox.ts'
import { pipeline } from './pipeline.ts'
import type { Proof } from './proof.ts'
import { rebalance } from './rebalance.ts'
import { watermark } from './watermark.ts'
import { zombie } from './zombie.ts'

const proofs: Readonly<Record<string, Proof>> = {
  broker,
  checker,
  commit,
  crashes,
  'end-txn': endTxn,
  failure,
  'lost-offsets': lostOffsets,
  memory,
  outbox,
  pipeline,
  rebalance,
  watermark,
  zombie,
}

// With what it has started: see `Child`.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const [name, ...args] = process.argv.slice(2)
const proof = proofs[name ?? '']
if (name === undefined) {
  for (const [known, { title, usage }] of Object.entries(proofs)) console.log(`${known}: ${title}\n  ${usage}`)
} else if (proof === undefined) {
  console.error(`No proof is called ${name}; there are: ${Object.keys(proofs).join(', ')}.`)
  process.exitCode = 2
} else {
  const anomalies = await proof.run(args, console.log)
  console.log(anomalies.length === 0 ? 'PASSED' : `FAILED\n${anomalies.map((line) => `  ${line}`).join('\n')}`)
  process.exitCode = anomalies.length === 0 ? 0 : 1
}
