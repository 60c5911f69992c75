import { fileURLToPath } from 'node:url'
import { run } from '../system/support/child.ts'
import { numberOptions } from './options.ts'
import type { Proof } from './proof.ts'

const timeoutMs = 86_400_000
const root = fileURLToPath(new URL('../..', import.meta.url))

/** The benchmark of the same, which judges itself, under more than it has by default. */
export const memory: Proof = {
  title: 'memory under a tenfold overload: a producer that is fed too much, and a consumer whose handler is too slow',
  usage: 'memory [--overload 10] [--seconds 30]',
  quick: ['--overload', '5', '--seconds', '8'],
  async run(args, tell) {
    const { overload, seconds } = numberOptions(args, { overload: 10, seconds: 30 })
    const options = ['--overload', `${overload}`, '--slowness', `${overload}`, '--seconds', `${seconds}`]
    const command = ['run', '--silent', 'bench', '--', 'bounded-memory', ...options]
    const { code, stdout, stderr } = await run('npm', command, { cwd: root, timeoutMs })
    for (const line of `${stdout}\n${stderr}`.split('\n')) tell(line)
    return code === 0 ? [] : ['memory grew by more than it may, or the benchmark failed: see above']
  },
}
