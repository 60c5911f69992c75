import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Follower } from './exactly-once/follower.ts'
import { OnceGroup, OnceServers, outputsOf, partitions, transactionTimeoutMs } from './exactly-once/once-group.ts'
import { onceAnomalies } from './exactly-once/verdict.ts'
import type { FaultPoint, Way } from './exactly-once/ways.ts'
import { inFolder } from './group-run.ts'
import { optionsWithWay } from './options.ts'
import { type Proof, seededRandom } from './proof.ts'

const ways = ['pipe', 'sink'] as const
/** Groups side by side: who is frozen needs no processor. */
const groups = 4

const pointsOf = {
  pipe: ['begin', 'outputs', 'offsets', 'end_sent', 'committed'],
  sink: ['offsets_updated', 'effects_done', 'before_commit', 'committed'],
} as const

/** After so long the brokers have aborted what is open, or PostgreSQL has ended an idle transaction. */
const outlastMs = { pipe: transactionTimeoutMs + 1_000, sink: 11_000 } as const

export const zombie: Proof = {
  title: 'an owner that is frozen in its transaction, past its session, and wakes when another has taken over',
  usage: 'zombie [--way pipe|sink|all] [--times 100] [--seed 1]',
  quick: ['--times', '2'],
  async run(args, tell) {
    const { way, times, seed } = optionsWithWay(args, ways, { times: 100, seed: 1 })
    tell(`zombie --way ${way} --times ${times} --seed ${seed}`)
    return await inFolder('sluice-zombie-', tell, async (folder) => {
      await using servers = await OnceServers.start()
      const found: string[] = []
      for (const one of way === 'all' ? ways : [way]) {
        const plan = planFreezes(one, times, seededRandom(seed + ways.indexOf(one)))
        found.push(...(await haunt(servers, one, plan, folder, tell)))
      }
      return found
    })
  },
}

/** Stops itself at a point; is woken so long after the group has given its partitions away. */
export interface Freeze {
  readonly at: string
  readonly survive: number
  readonly thenMs: number
}

/** Each point in turn; every third freeze outlasts the transaction. The same numbers give the same ones. */
export function planFreezes(way: (typeof ways)[number], times: number, random: () => number): Freeze[] {
  const points = pointsOf[way]
  return Array.from({ length: times }, (_, index) => ({
    at: points[index % points.length]!,
    survive: 2 + Math.floor(random() * 4),
    thenMs: Math.floor(index / points.length) % 3 === 2 ? outlastMs[way] : Math.round(random() * 1_000),
  }))
}

/** How often the commit of a frozen owner was done or refused, by point. */
type Tally = Map<string, { won: number; refused: number }>

async function haunt(
  servers: OnceServers,
  way: (typeof ways)[number],
  freezes: readonly Freeze[],
  folder: string,
  tell: (line: string) => void,
): Promise<string[]> {
  const startedMs = performance.now()
  const tally: Tally = new Map()
  const count = Math.min(groups, freezes.length)
  const parts = Array.from({ length: count }, (_, index) => freezes.filter((_, at) => at % count === index))
  const found = await Promise.all(
    parts.map((part, index) => hauntOne(servers, way, `zombie_${way}_${index}`, { part, tally, folder, tell })),
  )
  const total = { won: 0, refused: 0 }
  const byPoint = [...tally].map(([point, { won, refused }]) => {
    total.won += won
    total.refused += refused
    return `${point} ${won} won and ${refused} refused`
  })
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  tell(`${way}: ${freezes.length} owners frozen, ${seconds} s; ${total.won} commits won, ${total.refused} were refused`)
  tell(`${way}: ${byPoint.join('; ')}`)
  return found.flat()
}

interface Haunting {
  readonly part: readonly Freeze[]
  readonly tally: Tally
  readonly folder: string
  readonly tell: (line: string) => void
}

async function hauntOne(
  servers: OnceServers,
  way: Way,
  topic: string,
  { part, tally, folder, tell }: Haunting,
): Promise<string[]> {
  await using group = await OnceGroup.open(servers, way, topic, folder)
  await using follower = await (way === 'pipe' ? Follower.open(servers.kafka, outputsOf(topic), partitions) : undefined)
  const stop = new AbortController()
  const feeding = feedUntil(group, stop.signal)
  // Before it has joined, a frozen owner would be alone in the group at once, and awake before its session has ended.
  await group.start('heir').line((line) => line.startsWith('assigned'))
  const silent: string[] = []
  for (const [index, freeze] of part.entries()) {
    const outcome = await suffer(group, `zombie-${index}`, freeze)
    const counts = tally.get(freeze.at) ?? { won: 0, refused: 0 }
    tally.set(freeze.at, counts)
    if (outcome === 'won' || outcome === 'refused') counts[outcome]++
    else silent.push(`${topic}: frozen at ${freeze.at}: ${outcome}`)
  }
  stop.abort()
  await feeding
  await group.untilHandled()
  await group.leaveAll()
  return [...silent, ...(await onceAnomalies(group, follower, tell))]
}

/** Freezes an owner and wakes it when it is none any more. Returns what became of its transaction. */
async function suffer(group: OnceGroup, name: string, { at, survive, thenMs }: Freeze): Promise<string> {
  const fault: FaultPoint = { kind: 'freeze', at, survive }
  const child = group.start(name, fault, true)
  try {
    await child.line((line) => line === 'freezing')
    await untilStopped(child.pid)
    await untilAlone(group)
    await sleep(thenMs)
    child.process.kill('SIGCONT')
    const line = await child.line((one) => one.startsWith('woken'))
    return line.split(' ')[1]!
  } catch (error) {
    return String(error)
  } finally {
    child.process.kill('SIGCONT')
    await child.kill('SIGTERM')
  }
}

/** Until the group has no member but the heir. @throws Error where it takes a minute */
async function untilAlone({ servers, group }: OnceGroup): Promise<void> {
  const untilMs = performance.now() + 60_000
  for (;;) {
    const [described] = await servers.kafka.admin().describeGroups([group])
    if (described!.members.length === 1) return
    if (performance.now() > untilMs) throw new Error(`${group} did not give up its frozen member`)
    await sleep(100)
  }
}

/** Until every thread of it stands still: the signal takes its time, and one to go on that comes before it is lost. */
async function untilStopped(pid: number): Promise<void> {
  const tasks = `/proc/${pid}/task`
  const isStopped = (thread: string): boolean => / T /.test(readFileSync(join(tasks, thread, 'stat'), 'utf8'))
  while (!readdirSync(tasks).every(isStopped)) await sleep(20)
}

async function feedUntil({ source }: OnceGroup, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await source.add(25)
    await sleep(50)
  }
}
