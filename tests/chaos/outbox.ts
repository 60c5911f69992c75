import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { text, topic } from '@sluice/kafka'
import { Outbox } from '@sluice/postgres'
import pg from 'pg'
import type { OutboxRelayJob } from '../system/programs/outbox-relay.ts'
import { Child, fromSource } from '../system/support/child.ts'
import { readWithJava } from '../system/support/java.ts'
import { OnceServers } from './exactly-once/once-group.ts'
import { inFolder } from './group-run.ts'
import { check } from './history/check.ts'
import { History } from './history/history.ts'
import { numberOptions } from './options.ts'
import { type Proof, seededRandom } from './proof.ts'

const name = 'outbox'
const partitions = 6
const keys = 40
/** One of them has the locks, the other stands by. */
const relays = 2

export const outbox: Proof = {
  title: 'rows written by many transactions at once, some rolled back, and relays that are killed while they send them',
  usage: 'outbox [--times 50] [--writers 16] [--seed 1]',
  quick: ['--times', '3'],
  async run(args, tell) {
    const { times, writers, seed } = numberOptions(args, { times: 50, writers: 16, seed: 1 })
    tell(`outbox --times ${times} --writers ${writers} --seed ${seed}`)
    return await inFolder('sluice-outbox-', tell, async (folder) => {
      await using servers = await OnceServers.start()
      await servers.kafka.admin().createTopics([{ name, partitions }])
      return await relay(servers, folder, { times, writers, seed }, tell)
    })
  },
}

/** A row whose transaction has ended. */
interface WrittenRow {
  readonly id: number
  readonly key: number
  /** The how manieth of its key, by the order of commits; -1: rolled back. */
  readonly place: number
}

async function relay(
  servers: OnceServers,
  folder: string,
  { times, writers, seed }: { readonly times: number; readonly writers: number; readonly seed: number },
  tell: (line: string) => void,
): Promise<string[]> {
  const startedMs = performance.now()
  const { stack, pool } = servers
  await pool.query('CREATE TABLE counters (key integer PRIMARY KEY, n integer NOT NULL)')
  await pool.query(`INSERT INTO counters SELECT k, 0 FROM generate_series(0, ${keys - 1}) AS k`)
  const stop = new AbortController()
  const rows: WrittenRow[] = []
  await using writerPool = new WriterPool(stack.postgres.url, writers)
  const writing = Array.from({ length: writers }, (_, writer) =>
    write(writerPool.pool, seededRandom(seed * 1_000 + writer), rows, stop.signal),
  )
  const job: OutboxRelayJob = { bootstrap: stack.kafka.bootstrapServers, url: stack.postgres.url, batchRecords: 200 }
  const program = join(import.meta.dirname, '..', 'system', 'programs', 'outbox-relay.ts')
  const env = { NODE_COMPILE_CACHE: join(folder, 'compiled') }
  const start = (): Child => new Child(...fromSource(program, [JSON.stringify(job)]), { env })
  const alive = Array.from({ length: relays }, start)
  const deserted: string[] = []
  try {
    const random = seededRandom(seed)
    for (let kill = 0; kill < times; kill++) {
      // The one that has the locks is as likely to go as the one that waits for them.
      const victim = Math.floor(random() * relays)
      await alive[victim]!.line((line) => line === 'started')
      await sleep(100 + random() * 900)
      const { signal, stderr } = await alive[victim]!.kill()
      if (signal !== 'SIGKILL') deserted.push(`a relay ended by itself: ${stderr.slice(-500)}`)
      alive[victim] = start()
    }
    stop.abort()
    await Promise.all(writing)
    await untilEmpty(pool)
    for (const child of alive) {
      await child.line((line) => line === 'started')
      const { code, stderr } = await child.kill('SIGTERM')
      if (code !== 0) deserted.push(`a relay did not end in order: ${stderr.slice(-500)}`)
    }
  } finally {
    stop.abort()
    for (const child of alive) await child[Symbol.asyncDispose]()
  }
  const rolledBack = rows.filter(({ place }) => place < 0).length
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  tell(`${times} kills, ${rows.length - rolledBack} rows committed and ${rolledBack} rolled back, ${seconds} s`)
  return [...deserted, ...(await anomaliesOf(stack.kafka.bootstrapServers, rows, tell))]
}

/** A connection for each writer. */
class WriterPool implements AsyncDisposable {
  readonly pool: pg.Pool

  constructor(url: string, writers: number) {
    this.pool = new pg.Pool({ connectionString: url, max: writers })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.end()
  }
}

let ids = 0

/** One writer: transactions of one to three rows, every tenth of them rolled back. */
async function write(pool: pg.Pool, random: () => number, rows: WrittenRow[], signal: AbortSignal): Promise<void> {
  const outbox = new Outbox()
  const target = topic(name, { key: text, value: text })
  while (!signal.aborted) {
    const own = Array.from({ length: 1 + Math.floor(random() * 3) }, () => Math.floor(random() * keys))
    // Each key once, in their order, as the counters are locked.
    const written = [...new Set(own)].toSorted((a, b) => a - b).map((key) => ({ id: ids++, key }))
    const isRolledBack = random() < 0.1
    const client = await pool.connect()
    try {
      await client.query('BEGIN')
      await outbox.insert(
        client,
        target,
        written.map(({ id, key }) => ({ key: String(key), value: String(id) })),
      )
      const places: number[] = []
      for (const { key } of written) {
        // After the row: whoever comes later here commits later, and is to be sent later.
        const { rows } = await client.query<{ n: number }>('UPDATE counters SET n = n + 1 WHERE key = $1 RETURNING n', [
          key,
        ])
        places.push(rows[0]!.n)
      }
      await client.query(isRolledBack ? 'ROLLBACK' : 'COMMIT')
      for (const [index, row] of written.entries()) {
        rows.push({ ...row, place: isRolledBack ? -1 : places[index]! })
      }
    } finally {
      client.release()
    }
  }
}

/** @throws Error where rows are left that nobody sends */
async function untilEmpty(pool: pg.Pool): Promise<void> {
  const untilMs = performance.now() + 60_000
  for (;;) {
    const { rows } = await pool.query<{ count: string }>('SELECT count(*) FROM sluice_outbox')
    if (rows[0]!.count === '0') return
    if (performance.now() > untilMs) throw new Error(`${rows[0]!.count} rows were not sent`)
    await sleep(100)
  }
}

/** Rows in the order of their commits against the topic, of which only the first with its idempotency key counts. */
async function anomaliesOf(
  bootstrap: string,
  rows: readonly WrittenRow[],
  tell: (line: string) => void,
): Promise<string[]> {
  const history = new History()
  const numbers = new Map<number, number>()
  const partitionOf = new Map<number, number>()
  const format = ['print.partition=true', 'print.offset=true', 'print.headers=true', 'print.key=true']
  // The relay's transactions leave marks, which count as offsets and are no records.
  const lines = await readWithJava(bootstrap, name, { format, untilIdleMs: 5_000 })
  // What the tool itself has to say is among them.
  const sent = lines.filter((line) => line.startsWith('Partition:')).map((line) => parseSent(line))
  for (const { key, partition } of sent) partitionOf.set(key, partition)
  for (const { id, key, place } of rows.toSorted((a, b) => a.key - b.key || a.place - b.place)) {
    const outcome = place < 0 ? 'refused' : 'acknowledged'
    numbers.set(id, history.send({ producer: key, partition: partitionOf.get(key) ?? 0, lane: key, outcome }))
  }
  const known = new Map<string, number>()
  const found: string[] = []
  let repeats = 0
  for (const { idempotencyKey, partition, offset, id } of sent) {
    const first = known.get(idempotencyKey)
    if (first === undefined) history.logged(partition, offset, numbers.get(id) ?? -1)
    else if (first !== id) found.push(`${first} and ${id} have the same idempotency key`)
    else repeats++
    known.set(idempotencyKey, id)
  }
  tell(`${sent.length} records in the topic, ${repeats} of them a repetition by their idempotency key`)
  const byNumber = new Map([...numbers].map(([id, number]) => [number, id]))
  const verdict = check(history, { effects: 'at least once', complete: false })
  return [...found.slice(0, 5), ...verdict.sentences((number) => `row ${byNumber.get(number) ?? number}`)]
}

function parseSent(line: string) {
  const [partition, offset, headers, key, value] = line.split('\t') as [string, string, string, string, string]
  return {
    partition: Number(partition.split(':')[1]),
    offset: Number(offset.split(':')[1]),
    idempotencyKey: /idempotency-key:([^,]*)/.exec(headers)?.[1] ?? '',
    key: Number(key),
    id: Number(value),
  }
}
