// `npm run mutants -- PACKAGE [--sample N|all] [--seed S] [--only TEXT]`: makes faults in a package's sources, one at a
// time, in a copy of it, and sees whether its tests notice: 250 of them, or how many --sample says. A fault that no test
// can notice is explained in mutants/PACKAGE.json beside this script. It fails where fewer than 95 % are caught or a
// survivor is not explained.
import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { faultsIn } from './mutants/faults.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string', default: '250' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    workers: { type: 'string', default: String(Math.max(1, availableParallelism())) },
  },
})
const [name] = positionals
const packages = globSync('packages/*/src', { cwd: root }).map((path) => basename(dirname(path)))
if (name === undefined || !packages.includes(name)) {
  console.error(`npm run mutants -- PACKAGE, where PACKAGE is one of: ${packages.join(', ')}`)
  process.exit(2)
}

const source = join(root, 'packages', name)
const explanationsFile = join(root, 'scripts', 'mutants', `${name}.json`)
const explanations = existsSync(explanationsFile) ? JSON.parse(readFileSync(explanationsFile, 'utf8')) : {}

const files = globSync('src/**/*.ts', { cwd: source })
  .filter((file) => !file.endsWith('.test.ts') && !file.includes('testing/') && file.includes(values.only))
  .toSorted()
const all = files.flatMap((file) => faultsIn(file, readFileSync(join(source, file), 'utf8')))
const faults = choose(all, count('sample', values.sample), count('seed', values.seed))
console.log(`${all.length} faults in ${files.length} files of ${name}, ${faults.length} of them tried`)

const survivors = []
let tried = 0
const queue = faults.values()
await Promise.all(Array.from({ length: count('workers', values.workers) }, () => work()))

const unexplained = survivors.filter(({ id }) => !(id in explanations))
const caught = faults.length - survivors.length
const share = ((100 * caught) / faults.length).toFixed(1)
console.log(
  `caught ${caught} / ${faults.length} (${share} %), survivors explained ${survivors.length - unexplained.length}`,
)
process.exitCode = unexplained.length === 0 && caught / faults.length >= 0.95 ? 0 : 1

function count(option, value) {
  if (option === 'sample' && value === 'all') return Infinity
  if (/^[1-9]\d*$/.test(value)) return Number(value)
  console.error(`--${option} is '${value}': give a whole number from 1${option === 'sample' ? ', or all' : ''}`)
  process.exit(2)
}

/** Takes one fault after the other, in a copy of the package of its own. */
async function work() {
  const copy = makeCopy()
  try {
    if (!(await testsPass(copy))) throw new Error('The tests fail without any fault')
    for (const fault of queue) {
      const isCaught = await isNoticed(copy, fault)
      if (!isCaught) report(fault)
      if (++tried % 25 === 0) console.log(`${tried} / ${faults.length}, ${survivors.length} survived`)
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function report(fault) {
  survivors.push(fault)
  const why = explanations[fault.id]
  console.log(why === undefined ? `SURVIVED: ${fault.id}` : `explained: ${fault.id}\n  ${why}`)
}

/** Laid out as in the repository, so that packages find each other and their libraries. */
function makeCopy() {
  const copy = mkdtempSync(join(tmpdir(), 'sluice-mutants-'))
  for (const part of ['src', 'examples', 'package.json']) {
    if (existsSync(join(source, part))) cpSync(join(source, part), join(copy, part), { recursive: true })
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const setup = join(root, 'scripts', 'whole-histories.ts')
  const config = `export default {
    resolve: { conditions: ['@sluice/source'] },
    ssr: { resolve: { conditions: ['@sluice/source'], externalConditions: ['@sluice/source'] } },
    test: { include: ['src/**/*.test.ts'], setupFiles: ['${setup}'], testTimeout: 10_000, pool: 'threads', maxWorkers: 1, isolate: false },
  }`
  writeFileSync(join(copy, 'vitest.config.mjs'), config)
  mkdirSync(join(copy, '.cache'))
  return copy
}

/** The tests beside the file first, for they are quick and notice most. */
async function isNoticed(copy, { file, text }) {
  const path = join(copy, file)
  const original = readFileSync(path, 'utf8')
  writeFileSync(path, text)
  try {
    const folder = relative(copy, dirname(path))
    const hasOwnTests = globSync(`${folder}/*.test.ts`, { cwd: copy }).length > 0
    if (folder !== 'src' && hasOwnTests && !(await testsPass(copy, `${folder}/`))) return true
    return !(await testsPass(copy))
  } finally {
    writeFileSync(path, original)
  }
}

function testsPass(copy, ...filters) {
  const { promise, resolve } = Promise.withResolvers()
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const args = [vitest, 'run', '--bail', '1', '--reporter', 'dot', ...filters]
  const child = spawn(process.execPath, args, { cwd: copy, stdio: 'ignore', detached: true })
  // A fault may loop for ever: that is noticed too.
  const timer = setTimeout(() => killGroup(child.pid), 60_000)
  child.on('close', (code) => {
    clearTimeout(timer)
    resolve(code === 0)
  })
  return promise
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended by itself.
  }
}

/** So many, spread over all in an order that the seed decides. A fault keeps its place while others come and go. */
function choose(all, count, seed) {
  return all
    .map((fault) => ({ fault, order: hash(`${seed} ${fault.id}`) }))
    .toSorted((a, b) => a.order - b.order)
    .slice(0, count)
    .map(({ fault }) => fault)
}

/** FNV-1a, its bits mixed once more. */
function hash(text) {
  let state = 0x811c9dc5
  for (let index = 0; index < text.length; index++) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193)
  state = Math.imul(state ^ (state >>> 16), 0x45d9f3b)
  return (state ^ (state >>> 16)) >>> 0
}
