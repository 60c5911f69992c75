import { Kafka, text, topic } from '@sluice/kafka'
import { migrate } from '@sluice/postgres'
import { type Stack, startStack } from '@sluice/stack'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Closed, ClosingPartsJob } from './programs/closing-parts.ts'
import { Child, fromSource } from './support/child.ts'
import { freeze } from './support/freeze.ts'
import { freePort } from './support/holding-proxy.ts'
import { SwallowingProxy } from './support/swallowing-proxy.ts'

let stack: Stack
let proxyPort: number

beforeAll(async () => {
  proxyPort = await freePort()
  // A second listener is advertised at the proxy's port: who bootstraps there stays there.
  const properties = (broker: { readonly port: number; readonly controllerPort: number }) => ({
    listeners: `PLAINTEXT://127.0.0.1:${broker.port},PROXIED://127.0.0.1:${broker.port + 1},CONTROLLER://127.0.0.1:${broker.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${broker.port},PROXIED://127.0.0.1:${proxyPort}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT',
  })
  stack = await startStack({ kafka: { properties }, postgres: true })
  await using pool = Object.assign(new pg.Pool({ connectionString: stack.postgres.url }), {
    [Symbol.asyncDispose]: () => pool.end(),
  })
  await migrate(pool)
  await migrate(pool, { prefix: 'closing_' })
  await using kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers] })
  await kafka.admin().createTopics(['closing', 'closed'].map((name) => ({ name, partitions: 2 })))
  await using producer = await kafka.producer()
  const closing = topic('closing', { key: text, value: text })
  await Promise.all(Array.from({ length: 20 }, (_, n) => producer.send(closing, { key: `k${n}`, value: `${n}` })))
})

afterAll(async () => {
  await stack?.close()
})

const timeoutMs = 1_000
/** What closing may take beyond its time, whatever the brokers do. */
const graceMs = 500
/** Until the process has ended after that, at a load. */
const exitMs = 4_000

/** Closes everything in a process of its own after `spoil`; how long each took. */
async function closeAll(name: string, bootstrap: string, spoil: () => Promise<void> | void): Promise<Closed> {
  const job: ClosingPartsJob = { bootstrap, url: stack.postgres.url, name, timeoutMs }
  const program = fromSource(new URL('programs/closing-parts.ts', import.meta.url).pathname, [JSON.stringify(job)])
  await using child = new Child(...program)
  await child.line((line) => line === 'ready')
  await spoil()
  child.process.kill('SIGUSR2')
  const said = await child.line((line) => line.startsWith('closed '))
  const startedMs = performance.now()
  const { code } = await child.ended
  expect({ name, code }).toEqual({ name, code: 0 })
  expect(performance.now() - startedMs, `${name}: the process ends`).toBeLessThan(exitMs)
  return JSON.parse(said.slice('closed '.length)) as Closed
}

test('closing ends in its time beside a healthy, a half-open, a frozen and a dead broker', async () => {
  const { bootstrapServers, brokers } = stack.kafka
  await using proxy = await SwallowingProxy.open(proxyPort, brokers[0]!.port + 1)
  const table: Record<string, Closed> = {}
  table['healthy'] = await closeAll('healthy', bootstrapServers, () => {})
  table['half-open'] = await closeAll('half-open', `127.0.0.1:${proxyPort}`, () => proxy.swallow())
  table['frozen'] = await closeAll('frozen', bootstrapServers, () => freeze(stack))
  stack.kafka.resume(1)
  table['dead'] = await closeAll('dead', bootstrapServers, () => stack.kafka.kill(1))
  const kinds = Object.keys(table)
  const parts = Object.keys(table['healthy'])
  const rows = parts.map((part) => [part, ...kinds.map((kind) => `${table[kind]![part]!.tookMs} ms`)])
  const lines = [['', ...kinds], ...rows].map((row) => row.map((cell) => cell.padEnd(24)).join(''))
  process.stdout.write(`${lines.join('\n')}\n`)
  expect(parts).toHaveLength(8)
  const late = kinds.flatMap((kind) =>
    parts
      .filter((part) => table[kind]![part]!.tookMs > timeoutMs + graceMs)
      .map((part) => `${part}, ${kind}: ${table[kind]![part]!.tookMs} ms`),
  )
  expect(late).toEqual([])
  expect(table['healthy']['Kafka']!.said).toEqual({
    abandonedHandlers: 0,
    uncommitted: [],
    abandonedTransactions: 0,
    abandonedRecords: 0,
  })
  for (const kind of ['half-open', 'frozen', 'dead']) {
    expect(table[kind]!['Kafka']!.said, kind).toMatchObject({ abandonedTransactions: 1, abandonedRecords: 1 })
  }
})
