import { copyFileSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run, runOk } from './support/child.ts'
import { privateServers, serverFolder } from './support/private-servers.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const manifests = globSync('{packages,services}/*/package.json', { cwd: root }).map(
  (path) => JSON.parse(readFileSync(join(root, path), 'utf8')) as { name: string; private?: boolean },
)
const published = manifests.filter((manifest) => !manifest.private).map(({ name }) => name)

// npm itself may run on any Node; what is installed runs on this one.
const env = { PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH']}`, NODE_OPTIONS: undefined }
const npm = (args: readonly string[], cwd: string) => runOk('npm', args, { cwd, env, timeoutMs: 170_000 })

const installedVersion = (name: string): string =>
  (JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as { version: string }).version

let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-packaging-'))
  // What an earlier build left must not travel along.
  for (const left of globSync('{packages,services}/*/{dist,tsconfig.tsbuildinfo}', { cwd: root })) {
    rmSync(join(root, left), { recursive: true })
  }
  await npm(['run', '--silent', 'build'], root)
  const workspaces = published.flatMap((name) => ['--workspace', name])
  const packed = JSON.parse(await npm(['pack', '--json', '--pack-destination', folder, ...workspaces], root)) as {
    filename: string
  }[]
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
  const tarballs = packed.map(({ filename }) => join(folder, filename))
  await npm(['install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', ...tarballs], folder)
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Runs lines of JavaScript in the folder where the packages are installed, and returns what they print. */
const use = (...lines: readonly string[]) =>
  runOk(process.execPath, ['--input-type=module', '--eval', lines.join('\n')], { cwd: folder, env })

describe('what would be published', () => {
  it('holds every library and program of the workspace', () => {
    expect(published).toEqual(
      expect.arrayContaining([
        '@sluice/flow',
        '@sluice/kafka',
        '@sluice/postgres',
        '@sluice/stack',
        '@sluice/cli',
        '@sluice/commerce',
      ]),
    )
  })

  it('carries built files, types, examples and the licence, and no test and no other source', () => {
    const files = globSync('node_modules/@sluice/*/**', { cwd: folder, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
    const unwanted = (path: string): boolean =>
      /\.test\.|[\\/]testing[\\/]/.test(path) || (/(?<!\.d)\.ts$/.test(path) && !/[\\/]examples[\\/]/.test(path))
    expect(files.filter(unwanted)).toEqual([])
    for (const name of published) {
      expect(globSync(`node_modules/${name}/dist/index.{js,d.ts}`, { cwd: folder }), name).toHaveLength(2)
      expect(globSync(`node_modules/${name}/LICENSE`, { cwd: folder }), name).toHaveLength(1)
    }
  })

  it('bounds an intake with the gate of @sluice/flow', async () => {
    const said = await use(
      `import { Gate, systemClock } from '@sluice/flow'`,
      `const gate = new Gate({ maxRecords: 2, maxBytes: 100, highWatermark: 2, lowWatermark: 1, clock: systemClock })`,
      `console.log(gate.tryAcquire(1), gate.tryAcquire(1), gate.tryAcquire(1), gate.throttled)`,
    )
    expect(said).toBe('true true false true')
  })

  it('turns values into bytes and back, and names a bad setting, with @sluice/kafka', async () => {
    const said = await use(
      `import { Kafka, json, text, topic } from '@sluice/kafka'`,
      `const orders = topic('orders', { key: text, value: json() })`,
      `console.log(JSON.stringify(orders.value.decode(orders.value.encode({ total: 521_500 }))))`,
      `try { new Kafka({ brokers: ['localhost:notaport'] }) } catch (error) { console.log(error.name, error.field) }`,
      `try { topic('two words', { value: text }) } catch (error) { console.log(error.name, error.retriable) }`,
    )
    expect(said).toBe(['{"total":521500}', 'ConfigError brokers', 'ConfigError false'].join('\n'))
  })

  describe('its declarations', () => {
    const compilers = { 'typescript-5.7': '5.7.3', 'typescript-5.9': '5.9.3', 'typescript-7': '7.0.2' }

    beforeAll(async () => {
      const aliases = Object.entries(compilers).map(([alias, version]) => `${alias}@npm:typescript@${version}`)
      const types = ['@types/node', '@types/pg'].map((name) => `${name}@${installedVersion(name)}`)
      await npm(['install', '--no-save', '--prefer-offline', '--no-audit', '--no-fund', ...aliases, ...types], folder)
      copyFileSync(join(root, 'tests/types/consumer.ts'), join(folder, 'consumer.ts'))
    })

    const modules = { nodenext: 'nodenext', bundler: 'esnext' }
    const cases = Object.keys(compilers).flatMap((compiler) =>
      Object.entries(modules).map(([moduleResolution, module]) => ({ compiler, module, moduleResolution })),
    )

    it.each(cases)('suit $compiler with $moduleResolution, libraries checked', async ({ compiler, ...resolution }) => {
      const strict = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false }
      // Libraries of 2022, and those of browsers beside them: the least that a user of Node 22 compiles with.
      const compilerOptions = { ...resolution, ...strict, target: 'es2022', types: ['node'], noEmit: true }
      writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }))
      const tsc = join(folder, 'node_modules', compiler, 'bin', 'tsc')
      const { code, stdout } = await run(process.execPath, [tsc, '-p', folder], { cwd: folder, env })
      expect({ code, stdout }).toEqual({ code: 0, stdout: '' })
    })
  })

  it('answers with the sluice command', async () => {
    const sluice = join(folder, 'node_modules', '.bin', 'sluice')
    const help = await runOk(sluice, ['--help'], { cwd: folder, env })
    for (const command of ['up', 'down', 'status', 'logs', 'doctor', 'demo']) expect(help).toContain(command)
    const doctor = await run(sluice, ['doctor'], { cwd: folder, env })
    expect(doctor.stdout).toMatch(/node/i)
    expect([0, 1]).toContain(doctor.code)
    const wrong = await run(sluice, ['nonsense'], { cwd: folder, env })
    expect(wrong.code).toBe(2)
  })

  it('runs the whole pipeline', async () => {
    const dataDir = serverFolder()
    try {
      const sluice = join(folder, 'node_modules', '.bin', 'sluice')
      const servers = privateServers(dataDir)
      const demo = await run(sluice, ['demo', '--rate', '100', '--for', '3s'], {
        cwd: folder,
        env: { ...servers, ...env },
      })
      expect(demo.stderr + demo.stdout).toContain('nothing was lost')
      expect(demo.code).toBe(0)
    } finally {
      rmSync(dataDir, { recursive: true, force: true })
    }
  })
})
