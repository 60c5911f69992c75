import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka } from '@sluice/kafka'
import { startStack } from '@sluice/stack'
import type { FailingMemberJob } from '../system/programs/failing-member.ts'
import { Child, fromSource } from '../system/support/child.ts'
import { feed, nowMs } from './feed.ts'
import { failureAnomalies, type FailureEvent, type FailureRun, untimely } from './failure-verdict.ts'
import { inFolder } from './group-run.ts'
import { quickGroups } from '../system/support/quick-groups.ts'
import { numberOptions } from './options.ts'
import { type Proof, seededRandom } from './proof.ts'

const sessionTimeoutMs = 3_000
// A prime, so that failures come to all keys alike.
const fed = { topic: 'failing', partitions: 4, keys: 211, recordsPerSecond: 150 }
const failEvery = 20
const retry = { attempts: 3, initialMs: 1_500, maxMs: 3_000, topicAfterMs: 1_000 }
const group = 'failing'

export const failure: Proof = {
  title: 'a handler that fails for one in twenty, order by key, the retry topic, and members that are killed',
  usage: 'failure [--times 6] [--seed 1]',
  quick: ['--times', '2'],
  async run(args, tell) {
    const { times, seed } = numberOptions(args, { times: 6, seed: 1 })
    tell(`failure --times ${times} --seed ${seed}`)
    return await inFolder('sluice-failure-', tell, (folder) => prove(folder, times, seededRandom(seed), tell))
  },
}

async function prove(folder: string, times: number, random: () => number, tell: (line: string) => void) {
  await using stack = await startStack({ kafka: { properties: quickGroups(sessionTimeoutMs) } })
  const bootstrap = stack.kafka.bootstrapServers
  await using kafka = new Kafka({ brokers: [bootstrap], clientId: 'failure' })
  await kafka.admin().createTopics([{ name: fed.topic, partitions: fed.partitions }])
  await using members = new FailingMembers(folder, bootstrap)
  const stop = new AbortController()
  const feeding = feed(kafka, fed, stop.signal)
  feeding.catch(() => {})
  const names = ['m0', 'm1']
  for (const name of names) await members.start(name)
  for (let kill = 0; kill < times; kill++) {
    await sleep(3_000 + random() * 2_000)
    const name = names[Math.floor(random() * names.length)]!
    await members.kill(name)
    await members.start(name)
  }
  stop.abort()
  const sent = await feeding
  await untilRead(kafka)
  await members.leaveAll()
  const ids = sent.map((_, id) => id)
  const run: FailureRun = {
    keys: sent.map(({ key }) => key),
    events: readEvents(folder),
    hopeless: new Set(ids.filter((id) => id % (5 * failEvery) === 0)),
    letters: await lettersOf(kafka),
    waitMs: (attempt) => retry.initialMs * 2 ** (attempt - 1),
  }
  const { measured, latestMs } = untimely(run)
  const starved = run.events.flatMap(({ what, attempt }) => (what === 'starved' ? attempt : []))
  const refused = sent.filter(({ outcome }) => outcome !== 'acknowledged').length
  tell(`${sent.length} records, ${times} kills, ${run.letters.size} dead letters`)
  tell(`${starved.length} times a member had no processor, for ${Math.max(0, ...starved)} ms at the longest`)
  tell(`${measured} further attempts, the latest ${Math.round(latestMs)} ms after its time without those`)
  return [...failureAnomalies(run), ...(refused > 0 ? [`${refused} records were not acknowledged`] : [])]
}

/** The group has committed all there is, what waits included. */
async function untilRead(kafka: Kafka): Promise<void> {
  const admin = kafka.admin()
  const names = [fed.topic, `${fed.topic}.${group}.retry`]
  const untilMs = nowMs() + 120_000
  for (;;) {
    const committed = await admin.committedOffsets(group)
    const ends = await admin.offsets(names, 'latest')
    const isRead = ends.every(({ topic: name, partition, offset }) =>
      committed.some((one) => one.topic === name && one.partition === partition && one.offset === offset),
    )
    if (isRead) return
    if (nowMs() > untilMs) throw new Error(`not all was read: ${JSON.stringify({ ends, committed })}`)
    await sleep(500)
  }
}

async function lettersOf(kafka: Kafka): Promise<ReadonlySet<number>> {
  const found = new Set<number>()
  for await (const { record } of kafka.deadLetters(fed.topic).list()) found.add(Number(String(record.value)))
  return found
}

class FailingMembers implements AsyncDisposable {
  readonly #folder: string
  readonly #bootstrap: string
  readonly #alive = new Map<string, Child>()
  #starts = 0

  constructor(folder: string, bootstrap: string) {
    this.#folder = folder
    this.#bootstrap = bootstrap
  }

  async start(name: string): Promise<void> {
    const job: FailingMemberJob = {
      bootstrap: this.#bootstrap,
      topic: fed.topic,
      group,
      name,
      log: join(this.#folder, `${name}-${this.#starts++}.log`),
      stateDir: join(this.#folder, 'state'),
      options: { order: 'key', retry, sessionTimeoutMs, heartbeatIntervalMs: 300, commitIntervalMs: 200 },
      failEvery,
      doneAt: retry.attempts,
    }
    const program = join(import.meta.dirname, '..', 'system', 'programs', 'failing-member.ts')
    const child = new Child(...fromSource(program, [JSON.stringify(job)]))
    this.#alive.set(name, child)
    await child.line((line) => line === 'started')
  }

  async kill(name: string): Promise<void> {
    await this.#alive.get(name)!.kill('SIGKILL')
    this.#alive.delete(name)
  }

  async leaveAll(): Promise<void> {
    const ends = await Promise.all([...this.#alive.values()].map((child) => child.kill('SIGTERM')))
    this.#alive.clear()
    for (const { code, stderr } of ends) if (code !== 0) throw new Error(`a member did not leave in order: ${stderr}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#alive.values()) await child[Symbol.asyncDispose]()
  }
}

/** In the order of time. A last line that is cut is left out. */
function readEvents(folder: string): FailureEvent[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.log'))
  const events = files.flatMap((file) =>
    readFileSync(join(folder, file), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const [what, id, attempt, atMs] = line.split(' ') as [FailureEvent['what'], string, string, string]
        return { process: file, what, id: Number(id), attempt: Number(attempt), atMs: Number(atMs) }
      }),
  )
  return events.sort((a, b) => a.atMs - b.atMs)
}
