import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { readStatus, type StackStatus, startStack } from '@sluice/stack'
import pg from 'pg'
import { Child, fromSource } from '../system/support/child.ts'
import { readWithJava } from '../system/support/java.ts'
import { type Comparison, compare, readLedger } from '../system/support/ledger.ts'
import { privateServers, serverFolder } from '../system/support/private-servers.ts'
import { type PipelineResult, type TopicResult, anomaliesOf } from './pipeline-verdict.ts'
import { type Proof, seededRandom } from './proof.ts'

const victims = ['none', 'consumer', 'generator', 'broker'] as const
type Victim = (typeof victims)[number]

export interface PipelineOptions {
  /** Orders a second; products are a tenth of that. */
  readonly rate: number
  readonly seconds: number
  readonly kill: Victim
  readonly brokers: 1 | 3
  /** Decides when the kill comes, between 40 and 60 % of the time, and which broker it hits. */
  readonly seed: number
}

export const pipeline: Proof = {
  title: 'orders from the generator through Kafka into PostgreSQL, with a kill -9 in the middle',
  usage: `pipeline [--rate 2000] [--seconds 60] [--kill ${victims.join('|')}] [--brokers 1|3] [--seed 1]`,
  quick: ['--rate', '1000', '--seconds', '8', '--kill', 'consumer'],
  async run(args, tell) {
    const options = parse(args)
    tell(
      `pipeline ${Object.entries(options)
        .map(([name, value]) => `--${name} ${value}`)
        .join(' ')}`,
    )
    const result = await runPipeline(options, tell)
    for (const [topic, views] of Object.entries({ orders: result.orders, products: result.products })) {
      for (const [view, found] of Object.entries<Comparison>({
        topic: views.topic,
        table: views.table,
        handled: views.handled,
      })) {
        tell(`${topic} ${view.padEnd(7)} ${describe(found)}`)
      }
    }
    return anomaliesOf(result)
  },
}

function parse(args: readonly string[]): PipelineOptions {
  const text = (standard: string) => ({ type: 'string', default: standard }) as const
  const { values } = parseArgs({
    args: [...args],
    options: { rate: text('2000'), seconds: text('60'), kill: text('none'), brokers: text('1'), seed: text('1') },
  })
  const numbers = { rate: Number(values.rate), seconds: Number(values.seconds), seed: Number(values.seed) }
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isSafeInteger(value) || value < 1) throw new TypeError(`--${name}: give a whole number from 1`)
  }
  const kill = victims.find((victim) => victim === values.kill)
  if (kill === undefined) throw new TypeError(`--kill: give one of ${victims.join(', ')}`)
  if (values.brokers !== '1' && values.brokers !== '3') throw new TypeError('--brokers: give 1 or 3')
  return { ...numbers, kill, brokers: values.brokers === '3' ? 3 : 1 }
}

/** Runs `sluice demo` with the fault and compares what each part knows when it has ended. */
async function runPipeline(options: PipelineOptions, tell: (line: string) => void): Promise<PipelineResult> {
  const dataDir = serverFolder()
  try {
    const demo = await runDemo(options, dataDir, tell)
    tell('comparing')
    await using stack = await startStack({ kafka: true, postgres: true, dataDir, environment: 'ignore' })
    return { ...(await compareAll(stack.kafka.bootstrapServers, stack.postgres.url, dataDir)), ...demo }
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

const sluice = (...args: string[]): [string, string[]] =>
  fromSource(join(import.meta.dirname, '..', '..', 'packages', 'cli', 'src', 'main.ts'), args)

const handledTable = 'handled_records'

type DemoEnd = Pick<PipelineResult, 'exitCode' | 'restarted' | 'killed' | 'killedAtMs'>

async function runDemo(options: PipelineOptions, dataDir: string, tell: (line: string) => void): Promise<DemoEnd> {
  const { rate, seconds, kill, brokers, seed } = options
  const env = { ...privateServers(dataDir), HANDLED_TABLE: handledTable }
  const args = ['--rate', `${rate}`, '--for', `${seconds}s`, '--brokers', `${brokers}`, '--seed', `${seed}`]
  await using demo = new Child(...sluice('demo', ...args), { env })
  const random = seededRandom(seed)
  const processes = await untilRunning(demo, dataDir)
  tell('running')
  let killed: string | undefined
  let killedAtMs: number | undefined
  if (kill !== 'none') {
    await sleep(seconds * 1_000 * (0.4 + 0.2 * random()))
    killed = kill === 'broker' ? `kafka-${1 + Math.floor(random() * brokers)}` : kill
    const pid = pidOf(killed, processes)
    process.kill(pid, 'SIGKILL')
    killedAtMs = Date.now()
    tell(`killed ${killed}, process ${pid}`)
  }
  const timer = setTimeout(() => demo.process.kill('SIGKILL'), (seconds + 500) * 1_000)
  const ended = await demo.ended.finally(() => clearTimeout(timer))
  for (const line of ended.stdout.split('\n').slice(-6)) tell(`  ${line}`)
  if (ended.code !== 0) tell(ended.stderr)
  const restarted = [...ended.stdout.matchAll(/(\S+) is started again/g)].map(([, name]) => name!)
  for (const name of restarted) if (name !== killed) tell(lastLines(dataDir, name))
  return { exitCode: ended.code, restarted, killed, killedAtMs }
}

/** What a process said last, for the report of one that should not have ended. */
function lastLines(dataDir: string, name: string): string {
  return `${name}:\n${readFileSync(join(dataDir, 'logs', `${name}.log`), 'utf8').slice(-2_000)}`
}

type Processes = StackStatus['processes']

async function untilRunning(demo: Child, dataDir: string): Promise<Processes> {
  const deadlineMs = performance.now() + 480_000
  const isUp = (processes: Processes): boolean =>
    ['generator', 'consumer'].every((name) => processes.some((one) => one.name === name && one.state === 'running'))
  for (;;) {
    const { processes } = readStatus(dataDir)
    if (isUp(processes)) return processes
    if (performance.now() > deadlineMs || demo.process.exitCode !== null) {
      const { stdout, stderr } = await demo.kill()
      throw new Error(`the demo did not come up:\n${stdout}\n${stderr}`)
    }
    await sleep(100)
  }
}

function pidOf(name: string, processes: Processes): number {
  const found = processes.find((one) => one.name === name)
  if (found?.pid == null) throw new Error(`no process ${name} among ${processes.map((one) => one.name).join(', ')}`)
  return found.pid
}

interface EventLine {
  readonly data: Readonly<Record<string, string>>
}

async function compareAll(
  bootstrap: string,
  url: string,
  dataDir: string,
): Promise<Omit<PipelineResult, keyof DemoEnd>> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const ids = async (query: string): Promise<string[]> =>
    (await client.query<{ id: string }>(query)).rows.map(({ id }) => id)
  const repeatedFirstAtMs = async (topic: string): Promise<number[]> => {
    const { rows } = await client.query<{ at_ms: number }>(
      `SELECT (extract(epoch FROM min(handled_at)) * 1000)::float8 AS at_ms FROM ${handledTable}
       WHERE topic = $1 GROUP BY partition_id, record_offset HAVING count(*) > 1`,
      [topic],
    )
    return rows.map(({ at_ms }) => at_ms)
  }
  const compareOne = async (topic: string, id: string): Promise<TopicResult> => {
    const acknowledged = readLedger(join(dataDir, 'ledger', `${topic}.txt`))
    const events = (await readWithJava(bootstrap, topic)).map((line) => JSON.parse(line) as EventLine)
    return {
      topic: compare(
        acknowledged,
        events.map(({ data }) => data[id]!),
      ),
      table: compare(acknowledged, await ids(`SELECT ${id} AS id FROM ${topic}`)),
      handled: compare(acknowledged, await ids(`SELECT id FROM ${handledTable} WHERE topic = '${topic}'`)),
      repeatedFirstAtMs: await repeatedFirstAtMs(topic),
    }
  }
  try {
    return { orders: await compareOne('orders', 'order_id'), products: await compareOne('products', 'product_id') }
  } finally {
    await client.end()
  }
}

function describe({ ledger, found, missing, repeats, unacknowledged }: Comparison): string {
  return `ledger ${ledger}, found ${found}, missing ${missing.length}, repeats ${repeats}, unacknowledged ${unacknowledged}`
}
