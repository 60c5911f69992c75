import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { bytes, deadLetterTopic, type Kafka, topic } from '@sluice/kafka'
import pg from 'pg'
import { Child, fromSource, run } from '../system/support/child.ts'
import { until } from '../system/support/until.ts'
import { Coverage } from './hostile/coverage.ts'
import { HostileGround } from './hostile/ground.ts'
import { hostileTopics } from './hostile/topics.ts'
import { hostileAnomalies } from './hostile/verdict.ts'
import { numberOptions } from './options.ts'
import type { HostileMemberJob, HostileMemberReport, HostileWay } from './programs/hostile-member.ts'
import { type Proof, seededRandom } from './proof.ts'

const ways: readonly HostileWay[] = ['partition', 'key', 'pipe', 'sink']
const gateBytes = 64 * 2 ** 20
/** Of each member; the records of the gate lie beside it. */
const maxHeapMiB = 96
/** Beyond the gate: 128 MB. */
const maxGrowthMiB = (gateBytes + 128e6) / 2 ** 20
const program = join(import.meta.dirname, 'programs', 'hostile-member.ts')
const command = fileURLToPath(new URL('../../packages/cli/src/main.ts', import.meta.url))

export const hostile: Proof = {
  title:
    'topics of bombs, damaged batches, old formats, strange timestamps, records at every limit, and dead letter topics that do not fit',
  usage: 'hostile [--seed 1]',
  quick: [],
  async run(args, tell) {
    const { seed } = numberOptions(args, { seed: 1 })
    tell(`hostile --seed ${seed}`)
    await using ground = await HostileGround.open(hostileTopics, seededRandom(seed))
    const ends = await endsOf(ground.kafka)
    const total = [...ends.values()].flat().reduce((sum, end) => sum + end, 0)
    tell(`${ends.size} topics hold ${total} records`)
    const anomalies: string[] = []
    for (const way of ways) anomalies.push(...(await readIn(way, ground, ends, tell)))
    anomalies.push(...(await tailAll(ground, ends, tell)))
    return anomalies
  },
}

type Ends = ReadonlyMap<string, readonly number[]>

async function endsOf(kafka: Kafka): Promise<Ends> {
  const names = hostileTopics.map(({ name }) => name)
  const offsets = await kafka.admin().offsets(names, 'latest')
  return new Map(
    names.map((name) => [name, offsets.filter((one) => one.topic === name).map(({ offset }) => offset)] as const),
  )
}

/** One member reads all topics, in one of the ways. */
async function readIn(way: HostileWay, ground: HostileGround, ends: Ends, tell: (line: string) => void) {
  const group = `hostile_${way}`
  const job: HostileMemberJob = {
    way,
    bootstrap: ground.bootstrap,
    url: ground.url,
    topics: [...ends.keys()],
    group,
    output: `${group}_output`,
    gateBytes,
  }
  await ground.kafka.admin().createTopics([{ name: job.output, partitions: 3 }])
  const startedMs = performance.now()
  const [node, args] = fromSource(program, [JSON.stringify(job)])
  // Without a bound of its own a heap grows as far as the collector finds convenient, and says nothing of what is needed.
  await using member = new Child(node, [`--max-old-space-size=${maxHeapMiB}`, ...args])
  let ended: string | undefined
  member
    .line((line) => line.startsWith('ended '))
    .then(
      (line) => (ended = line),
      () => {},
    )
  await member.line((line) => line === 'started')
  const standing = await untilCommitted(ground.kafka, group, ends, () => ended !== undefined)
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  const { stderr, code, signal } = await member.kill('SIGTERM')
  const line = member.lines.find((one) => one.startsWith('report '))
  if (line === undefined) return [`${way}: the member ended with ${signal ?? code}: ${stderr.slice(-1_000)}`]
  const report = JSON.parse(line.slice('report '.length)) as HostileMemberReport
  const handled = await effectsOf(way, ground, job, report)
  const letters = await lettersOf(ground.kafka, group, ends)
  const unreadable = Coverage.fromJson(report.unreadable)
  const counts = `${handled.size} handled, ${letters.size} dead-lettered, ${unreadable.size} reported as unreadable`
  tell(`${way}: ${counts}, in ${seconds} s; resident memory grew by ${report.growthMiB} MiB`)
  const anomalies = [...ends].flatMap(([name, partitions]) =>
    hostileAnomalies({
      way,
      topic: name,
      ends: partitions,
      handled,
      letters: name === 'deleted' ? Coverage.fromJson(report.lettered) : letters,
      unreadable,
      mayBeUnreadable: ground.unreadables.get(name)!,
      hasGaps: hostileTopics.some((one) => one.name === name && one.hasGaps === true),
      isExactlyOnce: way === 'pipe' || way === 'sink',
    }),
  )
  if (ended !== undefined) anomalies.unshift(`${way}: it ${ended}`)
  if (report.growthMiB > maxGrowthMiB) anomalies.push(`${way}: memory grew by ${report.growthMiB} MiB`)
  if (anomalies.length > 0) for (const problem of report.problems) tell(`  ${way}: ${problem}`)
  return [...standing.map((place) => `${way}: ${place}`), ...anomalies]
}

/** Which partitions stand still: nothing of the group has moved for half a minute. */
async function untilCommitted(kafka: Kafka, group: string, ends: Ends, isOver: () => boolean): Promise<string[]> {
  const admin = kafka.admin()
  let standing: string[] = []
  let [last, lastMs] = ['', performance.now()]
  let deletes = hostileTopics.filter(({ deletesLetters }) => deletesLetters).map(({ name }) => deadLetterTopic(name))
  const look = async (): Promise<boolean> => {
    const committed = await admin.committedOffsets(group)
    const at = new Map(committed.map((one) => [`${one.topic}/${one.partition}`, one.offset]))
    standing = [...ends].flatMap(([name, partitions]) =>
      partitions.flatMap((end, partition) => {
        const offset = at.get(`${name}/${partition}`) ?? 0
        return offset >= end ? [] : [`${name}/${partition} stands at ${offset} of ${end}`]
      }),
    )
    const found = (await admin.listTopics()).filter((name) => deletes.includes(name))
    if (found.length > 0) await admin.deleteTopics(found)
    deletes = deletes.filter((name) => !found.includes(name))
    const now = standing.join()
    if (now !== last) [last, lastMs] = [now, performance.now()]
    return standing.length === 0 || isOver() || performance.now() - lastMs > 30_000
  }
  await until(look, { timeoutMs: 300_000, pauseMs: 250 })
  return standing
}

async function effectsOf(
  way: HostileWay,
  ground: HostileGround,
  { output, url }: HostileMemberJob,
  report: HostileMemberReport,
) {
  if (way === 'partition' || way === 'key') return Coverage.fromJson(report.handled)
  const effects = new Coverage()
  if (way === 'sink') {
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    const { rows } = await client.query<{ topic: string; partition: number; offset: string }>(`SELECT * FROM ${output}`)
    await client.end()
    for (const row of rows) effects.add(row.topic, row.partition, Number(row.offset))
    return effects
  }
  await using reader = await ground.kafka.reader({ topics: [topic(output, { key: bytes, value: bytes })] })
  for await (const { headers } of reader) {
    const [name = '', partition, offset] = headers.get('from')!.split('/')
    effects.add(name, Number(partition), Number(offset))
  }
  return effects
}

/** The letters that a reader can see, of this group. */
async function lettersOf(kafka: Kafka, group: string, ends: Ends): Promise<Coverage> {
  const letters = new Coverage()
  const there = await kafka.admin().listTopics()
  for (const name of ends.keys()) {
    if (!there.includes(deadLetterTopic(name))) continue
    for await (const { letter } of kafka.deadLetters(name).list()) {
      if (letter?.group === group) letters.add(letter.topic, letter.partition, letter.offset)
    }
  }
  return letters
}

/** What `sluice tail` shows of each topic. */
async function tailAll(ground: HostileGround, ends: Ends, tell: (line: string) => void): Promise<string[]> {
  const anomalies: string[] = []
  for (const [name, partitions] of ends) {
    const args = ['tail', name, '--from', 'earliest', '--format', '{partition} {offset}']
    const env = { KAFKA_BOOTSTRAP_SERVERS: ground.bootstrap }
    const { code, signal, stdout, stderr } = await run(...fromSource(command, args), { env, timeoutMs: 120_000 })
    const shown = new Coverage()
    for (const line of stdout.split('\n')) {
      const [partition, offset] = line.split(' ').map(Number)
      if (partition !== undefined && offset !== undefined) shown.add(name, partition, offset)
    }
    const all = partitions.reduce((sum, end) => sum + end, 0)
    tell(`tail ${name}: ${shown.size} of ${all} shown, ends with ${signal ?? code}`)
    if (code !== 0) anomalies.push(`tail ${name}: it ended with ${signal ?? code}: ${stderr.slice(-500)}`)
    const mayBeUnreadable = ground.unreadables.get(name)!
    const missing = partitions.flatMap((end, partition) =>
      Array.from({ length: end }, (_, offset) => offset)
        .filter((offset) => shown.times(name, partition, offset) === 0 && !mayBeUnreadable.get(partition)?.has(offset))
        .map((offset) => `${partition}/${offset}`),
    )
    if (missing.length > 0) anomalies.push(`tail ${name}: ${missing.length} are not shown, such as ${missing[0]}`)
  }
  return anomalies
}
