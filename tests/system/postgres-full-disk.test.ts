import { spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Kafka } from '@sluice/kafka'
import { migrate, postgresSink } from '@sluice/postgres'
import { type Stack, startStack } from '@sluice/stack'
import pg from 'pg'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import {
  addEffects,
  effectAnomalies,
  effectCount,
  entriesOf,
  makeEffectTables,
  sendEntries,
} from './support/effects.ts'

const count = 2_000
const within = { timeout: 60_000, interval: 50 }
let stack: Stack
let kafka: Kafka
let pool: pg.Pool

beforeAll(async () => {
  stack = await startStack({ kafka: true, postgres: true })
  kafka = new Kafka({ brokers: [stack.kafka.bootstrapServers], clientId: 'full-disk' })
  pool = new pg.Pool({ connectionString: stack.postgres.url, max: 8 })
  await migrate(pool)
})

afterAll(async () => {
  await kafka?.close()
  await pool?.end()
  await stack?.close()
})

// A disk of its own is mounted, which only root may.
test.skipIf(process.getuid?.() !== 0)(
  'a sink waits while the disk of its effects is full, and goes on when there is room: all once',
  async () => {
    await using disk = await SmallDisk.mount()
    await pool.query(`CREATE TABLESPACE small LOCATION '${disk.folder}'`)
    await kafka.admin().createTopics([{ name: 'crammed', partitions: 4 }])
    await makeEffectTables(pool, 'crammed')
    await pool.query('ALTER TABLE crammed SET TABLESPACE small')
    await pool.query('CREATE TABLE filler (filling text) TABLESPACE small')
    for (const rows of [1_000, 10, 1]) await fill(rows)
    await sendEntries(kafka, 'crammed', 0, count)
    await using sink = await postgresSink({
      kafka,
      pool,
      group: 'crammed',
      topics: [entriesOf('crammed')],
      reset: 'earliest',
      batchRecords: 100,
      handler: (tx, records) => addEffects(tx, 'crammed', records),
    })
    const failures: unknown[] = []
    sink.on('retrying', ({ fault, error }) => failures.push([fault, (error as { code?: string }).code]))
    await vi.waitFor(() => expect(failures.length).toBeGreaterThan(8), within)
    expect(new Set(failures.map(String))).toEqual(new Set(['transient,53100']))
    expect(await effectCount(pool, 'crammed')).toBe(0)
    await pool.query('DROP TABLE filler')
    await vi.waitFor(async () => expect(await effectCount(pool, 'crammed')).toBe(count), within)
    await sink.close()
    expect(await effectAnomalies(pool, 'crammed', count)).toEqual([])
    await pool.query('DROP TABLE crammed')
    await pool.query('DROP TABLESPACE small')
  },
)

/** Until not so many rows of a kilobyte have room. */
async function fill(rows: number): Promise<void> {
  const statement = 'INSERT INTO filler SELECT repeat(md5(random()::text), 30) FROM generate_series(1, $1)'
  for (;;) {
    try {
      await pool.query(statement, [rows])
    } catch (error) {
      if ((error as { code?: string }).code === '53100') return
      throw error
    }
  }
}

class SmallDisk implements AsyncDisposable {
  readonly folder: string
  readonly #mounted: string

  private constructor(mounted: string, folder: string) {
    this.#mounted = mounted
    this.folder = folder
  }

  /** Sixteen megabytes in memory, of the user that the database runs as. */
  static async mount(): Promise<SmallDisk> {
    const mounted = mkdtempSync(join(tmpdir(), 'sluice-small-disk-'))
    chmodSync(mounted, 0o755)
    run('mount', '-t', 'tmpfs', '-o', 'size=16m,mode=755', 'tmpfs', mounted)
    const { rows } = await pool.query<{ data_directory: string }>('SHOW data_directory')
    const { uid, gid } = statSync(rows[0]!.data_directory)
    const folder = join(mounted, 'space')
    mkdirSync(folder, { mode: 0o700 })
    chownSync(folder, uid, gid)
    return new SmallDisk(mounted, folder)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    run('umount', '--lazy', this.#mounted)
  }
}

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}`)
}
