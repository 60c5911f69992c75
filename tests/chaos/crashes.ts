import { setTimeout as sleep } from 'node:timers/promises'
import { Follower } from './exactly-once/follower.ts'
import { OnceGroup, OnceServers, outputsOf, partitions } from './exactly-once/once-group.ts'
import { onceAnomalies } from './exactly-once/verdict.ts'
import { type FaultPoint, pointsOf, type Way, ways as allWays } from './exactly-once/ways.ts'
import { inFolder } from './group-run.ts'
import { optionsWithWay } from './options.ts'
import { type Proof, seededRandom } from './proof.ts'

/** A record at a time is ten times slower. */
const shares: Readonly<Record<Way, number>> = { pipe: 0.45, sink: 0.45, handler: 0.1 }
const names = ['m0', 'm1', 'm2']

export const crashes: Proof = {
  title: 'kill -9 at any time and at each named point of what happens once: pipe, sink, handler with its marks',
  usage: 'crashes [--way pipe|sink|handler|all] [--kills 500] [--records 1000000] [--seed 1]',
  quick: ['--kills', '9', '--records', '4000'],
  async run(args, tell) {
    const { way, kills, records, seed } = optionsWithWay(args, allWays, { kills: 500, records: 1_000_000, seed: 1 })
    tell(`crashes --way ${way} --kills ${kills} --records ${records} --seed ${seed}`)
    const ways = way === 'all' ? allWays : [way]
    return await inFolder('sluice-crashes-', tell, async (folder) => {
      await using servers = await OnceServers.start()
      const found: string[] = []
      for (const [index, one] of ways.entries()) {
        const share = way === 'all' ? shares[one] : 1
        const ownKills = Math.floor((kills * (index + 1)) / ways.length) - Math.floor((kills * index) / ways.length)
        const lanes = planKills(one, ownKills, seededRandom(seed + allWays.indexOf(one)))
        found.push(...(await crash(servers, one, lanes, Math.ceil(records * share), folder, tell)))
      }
      return found
    })
  },
}

/** A kill by the member itself at a point, or from outside so long after its start. */
export type Kill = FaultPoint | { readonly kind: 'time'; readonly afterMs: number }

/** By member the kills that it suffers one after the other; the same numbers give the same ones. */
export function planKills(way: Way, kills: number, random: () => number): Kill[][] {
  const lanes: Kill[][] = names.map(() => [])
  const points = Object.entries(pointsOf[way])
  for (let index = 0; index < kills; index++) {
    // Each point in turn, and a time after all of them.
    const point = points[Math.floor(index / names.length) % (points.length + 1)]
    const kill: Kill =
      point === undefined
        ? { kind: 'time', afterMs: Math.round(200 + random() * 2_000) }
        : {
            kind: 'kill',
            at: point[0],
            survive: Math.floor(random() * point[1]),
            // What was sent at this point may be done by then, or not.
            thenMs: point[0] === 'end_sent' ? Math.round(random() * 6) : 0,
          }
    lanes[index % names.length]!.push(kill)
  }
  return lanes
}

async function crash(
  servers: OnceServers,
  way: Way,
  lanes: readonly Kill[][],
  records: number,
  folder: string,
  tell: (line: string) => void,
): Promise<string[]> {
  const startedMs = performance.now()
  const topic = `crashes_${way}`
  await using group = await OnceGroup.open(servers, way, topic, folder)
  await using follower = await (way === 'pipe' ? Follower.open(servers.kafka, outputsOf(topic), partitions) : undefined)
  const kills = lanes.flat().length
  const tally = new Map<string, number>()
  let done = 0
  const suffering = lanes.map(async (lane, index) => {
    for (const kill of lane) {
      const point = await suffer(group, names[index]!, kill)
      tally.set(point, (tally.get(point) ?? 0) + 1)
      if (++done % 50 === 0) tell(`${topic}: ${done} of ${kills} kills, ${group.source.places.length} records`)
    }
    // The others still need somebody to share with.
    group.start(names[index]!)
  })
  const feeding = feedBeside(group, records, () => done / kills)
  await Promise.all([...suffering, feeding])
  await group.untilHandled()
  await group.leaveAll()
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  const byPoint = Array.from(tally, ([point, times]) => `${point} ${times}`)
  tell(`${topic}: ${done} kills in ${seconds} s: ${byPoint.join(', ')}`)
  return await onceAnomalies(group, follower, tell)
}

/** How long a point may not be reached, for want of a partition or of records. */
const patienceMs = 10_000

/** Returns where it died. */
async function suffer(group: OnceGroup, name: string, kill: Kill): Promise<string> {
  const child = group.start(name, kill.kind === 'time' ? undefined : kill)
  const timeoutMs = kill.kind === 'time' ? kill.afterMs : patienceMs
  const isStillThere = await Promise.race([child.ended.then(() => false), sleep(timeoutMs, true)])
  if (isStillThere) await child.kill('SIGKILL')
  else if (kill.kind === 'time') return 'by itself'
  return kill.kind === 'time' ? 'any time' : isStillThere ? 'point not reached' : kill.at
}

/** All of it by the last kill; before that so much that there is always something to do, and never much more. */
async function feedBeside(group: OnceGroup, records: number, progress: () => number): Promise<void> {
  const { source } = group
  while (source.places.length < records || progress() < 1) {
    const isDue = source.places.length < records * Math.min(1, progress() + 0.01)
    if (isDue || (await group.lag()) < 1_000) await source.add(200)
    await sleep(isDue ? 5 : 100)
  }
}
