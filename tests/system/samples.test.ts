import { rmSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Kafka } from '@sluice/kafka'
import { type Stack, startStack } from '@sluice/stack'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Child, type ChildOptions, fromSource, runOk } from './support/child.ts'
import { quickBrokers } from './support/quick-brokers.ts'
import { folderOf, readSamples, type Sample, samplesFolder, samplesOf, writeSamples } from './support/samples.ts'

const tools = fileURLToPath(new URL('../../node_modules/.bin', import.meta.url))
const timeLimitMs = 120_000

const samples = readSamples()
const programs = samples.filter(({ language, isNamed }) => language === 'ts' && !isNamed)
const commands = samples.filter(({ language }) => language === 'sh')

let stack: Stack
let kafka: Kafka

beforeAll(async () => {
  writeSamples(samples)
  stack = await startStack({ kafka: { properties: quickBrokers }, postgres: true })
  kafka = new Kafka({ brokers: stack.kafka.bootstrapServers })
})

afterAll(async () => {
  await kafka?.close()
  await stack?.close()
  rmSync(samplesFolder, { recursive: true, force: true })
})

/** What a reader of the documentation has, who runs `sluice up` and the local packages. */
function environment(): NonNullable<ChildOptions['env']> {
  return {
    KAFKA_BOOTSTRAP_SERVERS: stack.kafka.bootstrapServers,
    DATABASE_URL: stack.postgres.url,
    PATH: [dirname(process.execPath), tools, process.env['PATH']].join(delimiter),
    NODE_OPTIONS: '--conditions=@sluice/source',
    // Of this test, and not of the one that a sample runs.
    VITEST: undefined,
    NO_COLOR: '1',
    FORCE_COLOR: undefined,
  }
}

/** Each sample finds servers as `sluice up` leaves them: samples may use the same names. */
async function emptyServers(): Promise<void> {
  const admin = kafka.admin()
  await admin.deleteTopics(await admin.listTopics())
  for (const { group } of await admin.listGroups()) await admin.deleteGroup(group)
  const client = new Client({ connectionString: stack.postgres.url })
  await client.connect()
  await client.query('DROP SCHEMA public CASCADE; CREATE SCHEMA public')
  await client.end()
}

/** A program that waits for a signal gets it once it has printed what it has to. */
async function runProgram(command: string, args: readonly string[], sample: Sample): Promise<readonly string[]> {
  await using child = new Child(command, args, { cwd: folderOf(sample), env: environment() })
  const signal = signalOf(sample)
  const last = sample.prints.at(-1)
  if (signal !== undefined && last !== undefined) {
    await child.line((line) => line === last, timeLimitMs)
    child.process.kill(signal)
  }
  const timer = setTimeout(() => child.process.kill('SIGKILL'), timeLimitMs)
  const { code, signal: killedBy, stdout, stderr } = await child.ended.finally(() => clearTimeout(timer))
  // NestJS ends itself by the same signal when its hooks have run.
  const isEndedBySignal = sample.language === 'sh' && killedBy !== null && killedBy === signal
  expect(isEndedBySignal ? 0 : (killedBy ?? code), `${stdout}\n${stderr}`).toBe(0)
  return stdout.split('\n')
}

function signalOf({ code, language }: Sample): NodeJS.Signals | undefined {
  if (language === 'sh') return code.includes('Ctrl-C') ? 'SIGINT' : undefined
  return /'(SIGINT|SIGTERM)'/.exec(code)?.[1] as NodeJS.Signals | undefined
}

describe('the code blocks that the documentation marks as runnable', () => {
  afterEach(emptyServers)

  it('are found, with the lines that they print', () => {
    const [sample] = samplesOf('a.md', 'text\n\n```ts runnable\nconsole.log(1)\n// prints: 1\n```\n')
    expect(sample).toMatchObject({ place: 'a.md:3', file: 'line-3.ts', isNamed: false, prints: ['1'] })
    expect(samplesOf('a.md', '```sh runnable file=b.sh\nls\n```\n')).toMatchObject([{ file: 'b.sh', isNamed: true }])
    expect(samplesOf('a.md', '```ts\nfragment\n```\n')).toEqual([])
    expect(programs.map(({ page }) => page)).toContain('README.md')
  })

  it('type-check', async () => {
    await runOk(join(tools, 'tsc'), ['-p', join(samplesFolder, 'tsconfig.json')], { env: environment() })
  })

  it('begin with one that creates its topic', () => {
    expect(programs.find(({ page }) => page === 'README.md')?.code).toMatch(/admin\(\)\.createTopics\(/)
  })

  it.each(programs)('$place runs', { timeout: 2 * timeLimitMs }, async (sample) => {
    const printed = await runProgram(...fromSource(sample.file), sample)
    if (sample.prints.length > 0) expect(printed).toEqual(sample.prints)
  })

  it.each(commands)('$place runs', { timeout: 2 * timeLimitMs }, async (sample) => {
    const printed = await runProgram('bash', ['-eu', sample.file], sample)
    for (const line of sample.prints) expect(printed.join('\n')).toContain(line)
  })
})
