import { fileURLToPath } from 'node:url'
import { run } from '../system/support/child.ts'
import { numberOptions } from './options.ts'
import type { Proof } from './proof.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const timeoutMs = 86_400_000
const test = 'packages/kafka/src/consumer/commit-safety.test.ts'

/** Its simulation lies beside the tracker that it is of, since that is no part of what the package exports. */
export const watermark: Proof = {
  title: 'commits and offset maps under a simulated scheduler: whatever the interleaving, none passes unfinished work',
  usage: 'watermark [--interleavings 1000000] [--seed 1]',
  quick: ['--interleavings', '50000'],
  async run(args, tell) {
    const { interleavings, seed } = numberOptions(args, { interleavings: 1_000_000, seed: 1 })
    tell(`watermark --interleavings ${interleavings} --seed ${seed}`)
    const env = { SLUICE_INTERLEAVINGS: String(interleavings), SLUICE_SEED: String(seed) }
    const startedMs = performance.now()
    const vitest = ['vitest', 'run', '--project', 'unit', test]
    const { code, stdout, stderr } = await run('npx', vitest, { cwd: root, env, timeoutMs })
    if (code !== 0)
      return [...`${stdout}${stderr}`.matchAll(/seed \d+: [^"]+/g)]
        .map(([found]) => found)
        .concat(`vitest ended with ${code}`)
    tell(`${interleavings} interleavings in ${Math.round((performance.now() - startedMs) / 1_000)} s, no violation`)
    return []
  },
}
