import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run, runOk } from './support/child.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
// npm itself may run on any Node; what is installed runs on this one.
const env = { PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`, NODE_OPTIONS: undefined }

let folder: string

/** What a stranger does: packs the one package, and installs it into an empty folder. */
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-flow-alone-'))
  const npm = (args: readonly string[], cwd: string) => runOk('npm', args, { cwd, env, timeoutMs: 170_000 })
  const pack = ['pack', '--json', '--pack-destination', folder, '--workspace', '@sluice/flow']
  const [packed] = JSON.parse(await npm(pack, root)) as { filename: string }[]
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  const install = ['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund']
  await npm([...install, join(folder, packed!.filename)], folder)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('brings cockatiel along and nothing else', () => {
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as { packages: object }
  const installed = Object.keys(lock.packages).filter((path) => path !== '')
  expect(installed.toSorted()).toEqual(['node_modules/@sluice/flow', 'node_modules/cockatiel'])
})

it('can be imported, and its gate, limiter and flow work', async () => {
  const lines = [
    `import { Flow, Gate, Limiter, gradientLimit } from '@sluice/flow'`,
    `const gate = new Gate({ maxRecords: 2 })`,
    `console.log(gate.tryAcquire(0), gate.tryAcquire(0), gate.tryAcquire(0))`,
    `console.log(await new Limiter({ limit: gradientLimit() }).run(async () => 'ran'))`,
    `console.log(await Flow.range(1, 9).filter((n) => n % 2 === 1).mapAsync(2, async (n) => n * n).toArray())`,
  ]
  const said = await runOk(process.execPath, ['--input-type=module', '--eval', lines.join('\n')], { cwd: folder, env })
  expect(said).toBe(['true true false', 'ran', '[ 1, 9, 25, 49, 81 ]'].join('\n'))
})

it('has examples that run where they are copied to', async () => {
  cpSync(join(folder, 'node_modules', '@sluice', 'flow', 'examples'), folder, { recursive: true })
  const said = await runOk(process.execPath, ['slow-processor.ts'], { cwd: folder, env })
  expect(said.split('\n')).toEqual(Array.from({ length: 20 }, (_, i) => `event-${i} processed`))
})

/** Names that the README's pieces take from the reader's own program. */
const readersOwn = `
import {
  Flow, FlowController, Gate, gradientLimit, Lanes, Limiter, PriorityQueue,
} from '@sluice/flow'
interface Job { reject(error: Error): void }
interface Order { customerId: string }
class Timeout extends Error {}
declare const body: Buffer, job: Job, order: Order, url: string, request: Request, lines: AsyncIterable<string>
declare function send(body: Buffer): Promise<void>
declare function warn(...facts: unknown[]): void
declare function page(...facts: unknown[]): void
declare function log(...facts: unknown[]): void
declare function handle(request: Request): Promise<Response>
declare function upload(line: string, signal: AbortSignal): Promise<number>
declare function save(batch: readonly number[]): Promise<void>
`

it('has types that a strict compiler reads to the end, also for every piece of code in the README', async () => {
  const readme = readFileSync(join(folder, 'node_modules', '@sluice', 'flow', 'README.md'), 'utf8')
  const pieces = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!)
  expect(pieces.length).toBeGreaterThanOrEqual(6)
  const wrapped = pieces.map((code, index) => `export async function piece${index}() {\n${code}}\n`)
  writeFileSync(join(folder, 'readme.ts'), readersOwn + wrapped.join('\n'))
  const compilerOptions = {
    strict: true,
    skipLibCheck: false,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    target: 'es2024',
    module: 'nodenext',
    lib: ['es2024'],
    types: ['node'],
    typeRoots: [join(root, 'node_modules', '@types')],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
  const tsc = await run(join(root, 'node_modules', '.bin', 'tsc'), ['-p', folder], { cwd: folder, env })
  expect(tsc.stdout + tsc.stderr).toBe('')
  expect(tsc.code).toBe(0)
})
