import { setTimeout as sleep } from 'node:timers/promises'
import { postgresSink } from '@sluice/postgres'
import pg from 'pg'
import { CuttingProxy, type Fate } from '../system/support/cutting-proxy.ts'
import { addEffects, entriesOf } from '../system/support/effects.ts'
import { OnceGroup, OnceServers } from './exactly-once/once-group.ts'
import { onceAnomalies } from './exactly-once/verdict.ts'
import { inFolder } from './group-run.ts'
import { numberOptions } from './options.ts'
import { type Proof, seededRandom } from './proof.ts'

const topic = 'commits'
/** As many batches at once, since each waits now and then. */
const partitions = 24
/** Small, so that there are many. */
const batchRecords = 5

export const commit: Proof = {
  title: 'COMMITs whose answer is lost, which are lost themselves, or which arrive when nobody waits for them any more',
  usage: 'commit [--times 10000] [--seed 1]',
  quick: ['--times', '300'],
  async run(args, tell) {
    const { times, seed } = numberOptions(args, { times: 10_000, seed: 1 })
    tell(`commit --times ${times} --seed ${seed}`)
    return await inFolder('sluice-commit-', tell, async (folder) => {
      await using servers = await OnceServers.start()
      return await doubt(servers, folder, { times, random: seededRandom(seed) }, tell)
    })
  },
}

const fates = ['cut the answer', 'delay the request', 'cut the request', 'pass'] as const satisfies Fate[]

async function doubt(
  servers: OnceServers,
  folder: string,
  { times, random }: { readonly times: number; readonly random: () => number },
  tell: (line: string) => void,
): Promise<string[]> {
  const startedMs = performance.now()
  await using group = await OnceGroup.open(servers, 'sink', topic, folder, partitions)
  await using proxy = await CuttingProxy.open(Number(new URL(servers.stack.postgres.url).port))
  const url = new URL(servers.stack.postgres.url)
  url.port = String(proxy.port)
  const pool = new pg.Pool({ connectionString: url.href, max: partitions })
  pool.on('error', () => {})
  try {
    const settled = { done: 0, undone: 0 }
    await using sink = await openSink(servers, group, pool)
    sink.on('settled', ({ committed }) => {
      settled[committed ? 'done' : 'undone']++
      const count = settled.done + settled.undone
      if (count % 1_000 === 0) tell(`${count} of ${times}`)
    })
    // A batch, and not the question what became of one, which has a COMMIT too: of those some are to meet the same.
    proxy.mark = 'SET next'
    proxy.fate = (isBatch) => (isBatch || random() < 0.1 ? fates[Math.floor(random() * fates.length)]! : 'pass')
    proxy.delayMs = () => random() * 40
    await feedUntil(group, () => settled.done + settled.undone >= times)
    proxy.fate = () => 'pass'
    await group.untilHandled()
    await sink.close()
    const cuts = fates.map((fate) => `${fate} ${proxy.cuts[fate]}`)
    tell(
      `${settled.done + settled.undone} batches in doubt in ${Math.round((performance.now() - startedMs) / 1_000)} s`,
    )
    tell(`${settled.done} had been committed, ${settled.undone} had not; COMMITs: ${cuts.join(', ')}`)
  } finally {
    await pool.end()
  }
  return await onceAnomalies(group, undefined, tell)
}

function openSink({ kafka }: OnceServers, { topic, group }: OnceGroup, pool: pg.Pool) {
  return postgresSink({
    kafka,
    pool,
    group,
    topics: [entriesOf(topic)],
    reset: 'earliest',
    batchRecords,
    concurrency: partitions,
    relay: false,
    commitIntervalMs: 200,
    handler: (tx, records) => addEffects(tx, topic, records),
  })
}

/** Always a little ahead of what is handled. @throws Error where nothing is settled for a minute */
async function feedUntil(group: OnceGroup, isEnough: () => boolean): Promise<void> {
  const untilMs = performance.now() + 3_600_000
  while (!isEnough()) {
    if (performance.now() > untilMs) throw new Error('not so many were in doubt within an hour')
    if ((await group.lag()) < 2_000) await group.source.add(1_000)
    else await sleep(100)
  }
}
