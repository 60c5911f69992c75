import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka } from '@sluice/kafka'
import { startStack } from '@sluice/stack'
import { idsInTopic } from '../system/support/sent-records.ts'
import { feed } from './feed.ts'
import { inFolder, totals, untilAllHandled, untilHandled } from './group-run.ts'
import { quickGroups } from '../system/support/quick-groups.ts'
import { groupAnomalies } from './group-verdict.ts'
import { Members } from './members.ts'
import { numberOptions } from './options.ts'
import { type Proof, seededRandom } from './proof.ts'

const sessionTimeoutMs = 3_000
const fed = { topic: 'storm', partitions: 12, keys: 60, recordsPerSecond: 300 }

export const rebalance: Proof = {
  title: 'a group whose members join, leave, freeze past their session and are killed',
  usage: 'rebalance [--times 200] [--seed 1]',
  quick: ['--times', '10'],
  async run(args, tell) {
    const { times, seed } = numberOptions(args, { times: 200, seed: 1 })
    tell(`rebalance --times ${times} --seed ${seed}`)
    const steps = planFaults(times, seededRandom(seed))
    return await inFolder('sluice-rebalance-', tell, (folder) => storm(folder, steps, tell))
  },
}

interface Step {
  readonly kind: 'join' | 'leave' | 'freeze' | 'kill' | 'kill and restart'
  readonly name: string
  readonly thenMs: number
}

const fewest = 2
const most = 5

/** The same numbers give the same steps. */
export function planFaults(times: number, random: () => number): Step[] {
  const alive = ['m0', 'm1']
  const steps: Step[] = []
  const kinds = ['join', 'leave', 'freeze', 'kill', 'kill and restart'] as const
  while (steps.length < times) {
    const kind = kinds[Math.floor(random() * kinds.length)]!
    const victim = Math.floor(random() * alive.length)
    const thenMs = Math.round(random() * 1_500)
    if (kind === 'join' ? alive.length >= most : kind !== 'freeze' && alive.length <= fewest) continue
    const name = kind === 'join' ? `m${alive.length + steps.length}` : alive[victim]!
    if (kind === 'join') alive.push(name)
    else if (kind === 'leave' || kind === 'kill') alive.splice(victim, 1)
    steps.push({ kind, name, thenMs })
  }
  return steps
}

async function storm(folder: string, steps: readonly Step[], tell: (line: string) => void): Promise<string[]> {
  await using stack = await startStack({ kafka: { properties: quickGroups(sessionTimeoutMs) } })
  const bootstrap = stack.kafka.bootstrapServers
  await using kafka = new Kafka({ brokers: [bootstrap], clientId: 'rebalance' })
  await kafka.admin().createTopics([{ name: fed.topic, partitions: fed.partitions }])
  await using members = new Members(
    {
      bootstrap,
      topic: fed.topic,
      group: 'storm',
      handlerMs: 4,
      stateDir: join(folder, 'state'),
      options: { order: 'key', sessionTimeoutMs, heartbeatIntervalMs: 300, commitIntervalMs: 200 },
    },
    folder,
  )
  const stop = new AbortController()
  const feeding = feed(kafka, fed, stop.signal)
  feeding.catch(() => {})
  for (const name of ['m0', 'm1']) await members.start(name)
  await untilHandled(members, 1_000)
  for (const [index, step] of steps.entries()) {
    await take(step, members)
    if ((index + 1) % 20 === 0) tell(`${index + 1} of ${steps.length}`)
  }
  stop.abort()
  const sent = await feeding
  await untilAllHandled(members, sent)
  const deserted = await members.leaveAll()
  members.noteFaults()
  const run = { sent, topic: await idsInTopic(bootstrap, fed.topic), events: members.events(), faults: members.faults }
  tell(summary(steps))
  tell(totals(run))
  return [...deserted, ...groupAnomalies({ ...run, stallMs: sessionTimeoutMs + 5_000 })]
}

async function take({ kind, name, thenMs }: Step, members: Members): Promise<void> {
  if (kind === 'join') await members.start(name)
  else if (kind === 'leave') await members.leave(name)
  else if (kind === 'freeze') await members.freeze(name, () => sleep(sessionTimeoutMs + 1_500))
  else await members.kill(name)
  if (kind === 'kill and restart') await members.start(name)
  // The next fault is not to come before the group has got over this one.
  if (kind === 'kill') await sleep(sessionTimeoutMs + 2_000)
  if (kind === 'freeze' || kind === 'kill and restart') await sleep(1_500)
  await sleep(thenMs)
}

function summary(steps: readonly Step[]): string {
  const counts = Object.entries(Object.groupBy(steps, ({ kind }) => kind)).map(([kind, own]) => `${kind} ${own.length}`)
  return counts.join(', ')
}
