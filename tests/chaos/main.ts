// `npm run chaos -- PROOF [options]`: prints the verdict, and ends with 1 on any anomaly. `--quick` is a brief run, `all`
// runs every proof in turn. Without a name it lists what there is.
import { runAll } from './all.ts'
import { broker } from './broker.ts'
import { checker } from './checker.ts'
import { commit } from './commit.ts'
import { crashes } from './crashes.ts'
import { endTxn } from './end-txn.ts'
import { failure } from './failure.ts'
import { hostile } from './hostile.ts'
import { lostOffsets } from './lost-offsets.ts'
import { memory } from './memory.ts'
import { outbox } from './outbox.ts'
import { outage } from './outage.ts'
import { pipeline } from './pipeline.ts'
import type { Proof } from './proof.ts'
import { rebalance } from './rebalance.ts'
import { watermark } from './watermark.ts'
import { zombie } from './zombie.ts'

const proofs: ReadonlyMap<string, Proof> = new Map([
  ['broker', broker],
  ['checker', checker],
  ['commit', commit],
  ['crashes', crashes],
  ['end-txn', endTxn],
  ['failure', failure],
  ['hostile', hostile],
  ['lost-offsets', lostOffsets],
  ['memory', memory],
  ['outage', outage],
  ['outbox', outbox],
  ['pipeline', pipeline],
  ['rebalance', rebalance],
  ['watermark', watermark],
  ['zombie', zombie],
])

// With what it has started: see `Child`.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const [name, ...given] = process.argv.slice(2)
const isQuick = given.includes('--quick')
const proof = name === 'all' ? all(isQuick) : proofs.get(name ?? '')
if (name === undefined) {
  for (const [known, { title, usage }] of proofs) console.log(`${known}: ${title}\n  ${usage} [--quick]`)
  console.log(`all: ${all(false).title}\n  ${all(false).usage}`)
} else if (proof === undefined) {
  console.error(`No proof is called ${name}; there are: ${[...proofs.keys(), 'all'].join(', ')}.`)
  process.exitCode = 2
} else {
  const others = given.filter((option) => option !== '--quick')
  const anomalies = await proof.run(isQuick ? [...proof.quick, ...others] : others, console.log)
  console.log(anomalies.length === 0 ? 'PASSED' : `FAILED\n${anomalies.map((line) => `  ${line}`).join('\n')}`)
  process.exitCode = anomalies.length === 0 ? 0 : 1
}

/** All of them, one after the other. */
function all(briefly: boolean): Proof {
  return {
    title: 'every proof in turn, with a line for each',
    usage: 'all [--quick]',
    quick: [],
    run: (args, tell) => {
      if (args.length > 0) throw new TypeError(`all has no option ${args[0]}`)
      return runAll(proofs, briefly, tell)
    },
  }
}
