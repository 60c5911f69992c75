import { copyFileSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Stack, startStack } from '@sluice/stack'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cachedTool, oldestNode } from './support/cached-tool.ts'
import { run, runOk } from './support/child.ts'
import {
  buildAll,
  environmentOf,
  installAll,
  installMore,
  installedVersion,
  packAgain,
  packAll,
  published,
  readmeSample,
  type Tarball,
} from './support/packed.ts'
import { listTopics, postgresProgram } from './support/packed-programs.ts'
import { privateServers, serverFolder } from './support/private-servers.ts'

const node22 = await oldestNode()
const nodes = [
  { line: 'Node 24', node: process.execPath },
  ...(node22 === undefined ? [] : [{ line: 'Node 22.22', node: node22 }]),
]
const env = environmentOf(process.execPath)

let folder: string
let stack: Stack
let packed: Tarball[]
let jest: Promise<string | undefined>

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-packaging-'))
  jest = cachedTool('jest-30.5.2', 'jest@30.5.2')
  jest.catch(() => {})
  const starting = startStack({ kafka: true, postgres: true })
  starting.catch(() => {})
  await buildAll()
  packed = await packAll(folder)
  await installAll(folder, packed)
  stack = await starting
})

afterAll(async () => {
  await stack?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs a program in the folder where the packages are installed, with the servers of this test, and returns what it prints. */
async function runProgram(node: string, name: string, text: string): Promise<string> {
  writeFileSync(join(folder, name), text)
  const servers = { KAFKA_BOOTSTRAP_SERVERS: stack.kafka.bootstrapServers, DATABASE_URL: stack.postgres.url }
  return runOk(node, [name], { cwd: folder, env: { ...environmentOf(node), ...servers } })
}

describe('what would be published', () => {
  it('holds every library and program of the workspace', () => {
    expect(published.map(({ name }) => name)).toEqual(
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

  it('says where it comes from and what runs it', () => {
    for (const { name, repository, engines } of published) {
      expect(repository?.url, name).toBe('git+https://github.com/sluice-kafka/sluice.git')
      expect(engines?.node, name).toBe('^22.22.0 || >=24.6.0')
    }
  })

  it('carries built files, types, examples, a README and the licence, and no test and no other source', () => {
    const files = globSync('node_modules/@sluice/*/**', { cwd: folder, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
    const unwanted = (path: string): boolean =>
      /\.test\.|[\\/]testing[\\/]/.test(path) || (/(?<!\.d)\.ts$/.test(path) && !/[\\/]examples[\\/]/.test(path))
    expect(files.filter(unwanted)).toEqual([])
    for (const { name } of published) {
      expect(globSync(`node_modules/${name}/dist/index.{js,d.ts}`, { cwd: folder }), name).toHaveLength(2)
      expect(globSync(`node_modules/${name}/{LICENSE,README.md}`, { cwd: folder }), name).toHaveLength(2)
    }
    for (const name of ['flow', 'kafka', 'postgres']) {
      expect(globSync(`node_modules/@sluice/${name}/examples/*.ts`, { cwd: folder }), name).not.toEqual([])
    }
  })

  it('has source maps without the sources', () => {
    const maps = globSync('node_modules/@sluice/*/dist/**/*.map', { cwd: folder })
    expect(maps.length).toBeGreaterThan(100)
    expect(maps.filter((path) => readFileSync(join(folder, path), 'utf8').includes('sourcesContent'))).toEqual([])
  })

  it('is the same to the last bit when it is packed again', async () => {
    const hashes = (tarballs: readonly Tarball[]) => tarballs.map(({ name, integrity }) => [name, integrity])
    expect(hashes(await packAgain())).toEqual(hashes(packed))
  })

  it('is found by programs that have a condition named source', async () => {
    const program = `import { Kafka } from '@sluice/kafka'\nconsole.log(typeof Kafka)`
    const args = ['--conditions=source', '--input-type=module', '--eval', program]
    expect(await runOk(process.execPath, args, { cwd: folder, env })).toBe('function')
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

describe('its declarations', () => {
  const compilers = { 'typescript-5.7': '5.7.3', 'typescript-5.9': '5.9.3', 'typescript-7': '7.0.2' }

  beforeAll(async () => {
    const aliases = Object.entries(compilers).map(([alias, version]) => `${alias}@npm:typescript@${version}`)
    const types = ['@types/node', '@types/pg'].map((name) => `${name}@${installedVersion(name)}`)
    await installMore(folder, [...aliases, ...types])
    copyFileSync(fileURLToPath(new URL('../types/consumer.ts', import.meta.url)), join(folder, 'consumer.ts'))
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

describe.each(nodes)('on $line', ({ line, node }) => {
  const suffix = line.replaceAll(/\W/g, '')

  it('bounds an intake with the gate of @sluice/flow', async () => {
    const said = await runProgram(
      node,
      `gate-${suffix}.mjs`,
      `import { Gate, systemClock } from '@sluice/flow'
       const gate = new Gate({ maxRecords: 2, maxBytes: 100, highWatermark: 2, lowWatermark: 1, clock: systemClock })
       console.log(gate.tryAcquire(1), gate.tryAcquire(1), gate.tryAcquire(1), gate.throttled)`,
    )
    expect(said).toBe('true true false true')
  })

  it('turns values into bytes and back, and names a bad setting, with @sluice/kafka', async () => {
    const said = await runProgram(
      node,
      `codecs-${suffix}.mjs`,
      `import { Kafka, json, text, topic } from '@sluice/kafka'
       const orders = topic('orders', { key: text, value: json() })
       console.log(JSON.stringify(orders.value.decode(orders.value.encode({ total: 521_500 }))))
       try { new Kafka({ brokers: ['localhost:notaport'] }) } catch (error) { console.log(error.name, error.field) }
       try { topic('two words', { value: text }) } catch (error) { console.log(error.name, error.retriable) }`,
    )
    expect(said).toBe(['{"total":521500}', 'ConfigError brokers', 'ConfigError false'].join('\n'))
  })

  it('sends and receives as the README of @sluice/kafka says', async () => {
    const sample = readmeSample(folder, '@sluice/kafka').replaceAll(/'(orders|billing)'/g, `'$1-${suffix}'`)
    const said = await runProgram(node, `readme-${suffix}.ts`, sample)
    expect(said.split('\n').filter((one) => one.startsWith('sent to'))).toHaveLength(3)
    expect(said).toContain('charged 60')
  })

  it('starts a Kafka for a test as the README of @sluice/stack says', async () => {
    const said = await runProgram(node, `stack-${suffix}.ts`, readmeSample(folder, '@sluice/stack'))
    expect(said).toBe('hello')
  })

  it('writes to PostgreSQL once, and from an outbox, with @sluice/postgres', async () => {
    expect(await runProgram(node, `postgres-${suffix}.mjs`, postgresProgram(`s${suffix.toLowerCase()}`))).toBe('7 done')
  })

  it('answers with the sluice command', async () => {
    const sluice = join(folder, 'node_modules', '.bin', 'sluice')
    const options = { cwd: folder, env: environmentOf(node) }
    const help = await runOk(sluice, ['--help'], options)
    for (const command of ['up', 'down', 'status', 'logs', 'doctor', 'demo']) expect(help).toContain(command)
    const doctor = await run(sluice, ['doctor'], options)
    expect(doctor.stdout).toMatch(/node/i)
    expect([0, 1]).toContain(doctor.code)
    expect((await run(sluice, ['nonsense'], options)).code).toBe(2)
    const topics = await runOk(sluice, ['topics', 'list', '--bootstrap', stack.kafka.bootstrapServers], options)
    expect(topics).toMatch(/^TOPIC/)
  })

  it('is required by CommonJS', async () => {
    const program = `const { Kafka } = require('@sluice/kafka')\n;(async () => {${listTopics}\n})()`
    expect(await runProgram(node, `require-${suffix}.cjs`, program)).toBe('reached')
  })

  it('runs in one file that esbuild made, without node_modules', async () => {
    const bundle = mkdtempSync(join(tmpdir(), 'sluice-bundle-'))
    try {
      const contents = `import { Kafka } from '@sluice/kafka'\n${listTopics}`
      await build({
        stdin: { contents, resolveDir: folder },
        outfile: join(bundle, 'app.mjs'),
        bundle: true,
        platform: 'node',
        format: 'esm',
        // As in docs/packaging.md.
        alias: { '@platformatic/wasm-utils': '@platformatic/wasm-utils/bundled' },
        banner: {
          js: `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url)`,
        },
        logLevel: 'error',
      })
      const servers = { KAFKA_BOOTSTRAP_SERVERS: stack.kafka.bootstrapServers }
      const options = { cwd: bundle, env: { ...environmentOf(node), ...servers } }
      expect(await runOk(node, ['app.mjs'], options)).toBe('reached')
    } finally {
      rmSync(bundle, { recursive: true, force: true })
    }
  })

  it('is tested by Jest', async ({ skip }) => {
    const tool = await jest
    if (tool === undefined) skip()
    const test = `import { Kafka } from '@sluice/kafka'
      test('reaches the brokers', async () => {
        const kafka = Kafka.fromEnv()
        expect(await kafka.admin().listTopics()).toEqual(expect.any(Array))
        await kafka.close()
      })`
    writeFileSync(join(folder, `orders-${suffix}.test.mjs`), test)
    const args = [
      '--experimental-vm-modules',
      join(tool!, 'node_modules', 'jest', 'bin', 'jest.js'),
      '--rootDir',
      folder,
    ]
    const servers = { KAFKA_BOOTSTRAP_SERVERS: stack.kafka.bootstrapServers, DATABASE_URL: undefined }
    const ended = await run(node, [...args, '--watchman=false', '--testMatch', `**/orders-${suffix}.test.mjs`], {
      cwd: folder,
      env: { ...environmentOf(node), ...servers },
    })
    expect(ended.stderr).toContain('1 passed')
    expect(ended.code).toBe(0)
  })
})
