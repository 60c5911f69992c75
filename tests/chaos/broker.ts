import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka } from '@sluice/kafka'
import { type KafkaServers, startStack } from '@sluice/stack'
import { idsInTopic } from '../system/support/sent-records.ts'
import { feed } from './feed.ts'
import { inFolder, totals, untilAllHandled, untilHandled } from './group-run.ts'
import { groupAnomalies } from './group-verdict.ts'
import { Members } from './members.ts'
import { numberOptions } from './options.ts'
import { type Proof, seededRandom } from './proof.ts'

const fed = { topic: 'brokers', partitions: 6, keys: 30, recordsPerSecond: 200 }
/** A frozen broker is fenced after 9 s, and a leader elected; a request to it is given up after the request timeout. */
const stallMs = 60_000

export const broker: Proof = {
  title: 'three brokers that are killed, frozen and restarted in turn while records are produced and consumed',
  usage: 'broker [--times 18] [--seed 1]',
  quick: ['--times', '2'],
  async run(args, tell) {
    const { times, seed } = numberOptions(args, { times: 18, seed: 1 })
    tell(`broker --times ${times} --seed ${seed}`)
    const steps = planFaults(times, seededRandom(seed))
    return await inFolder('sluice-broker-', tell, (folder) => disturb(folder, steps, tell))
  },
}

interface Step {
  readonly kind: 'kill' | 'freeze' | 'restart'
  readonly broker: number
  readonly forMs: number
}

/** The brokers in turn, each hit in another way from round to round. */
function planFaults(times: number, random: () => number): Step[] {
  const kinds = ['kill', 'freeze', 'restart'] as const
  return Array.from({ length: times }, (_, index) => ({
    kind: kinds[Math.floor(random() * kinds.length)]!,
    broker: index % 3,
    // Some freezes are over before anybody has noticed, some outlast the broker's session.
    forMs: Math.round(500 + random() * 12_000),
  }))
}

async function disturb(folder: string, steps: readonly Step[], tell: (line: string) => void): Promise<string[]> {
  await using stack = await startStack({ kafka: { brokers: 3 } })
  const bootstrap = stack.kafka.bootstrapServers
  await using kafka = new Kafka({ brokers: bootstrap.split(','), clientId: 'broker' })
  const settings = { configs: { 'min.insync.replicas': '2' } }
  await kafka.admin().createTopics([{ name: fed.topic, partitions: fed.partitions, replicationFactor: 3, ...settings }])
  const job = { bootstrap, topic: fed.topic, group: 'brokers', handlerMs: 4, options: { order: 'key' } as const }
  await using members = new Members(job, folder)
  const stop = new AbortController()
  const feeding = feed(kafka, fed, stop.signal)
  feeding.catch(() => {})
  for (const name of ['m0', 'm1']) await members.start(name)
  await untilHandled(members, 500)
  for (const [index, step] of steps.entries()) {
    await take(step, stack.kafka)
    tell(`${index + 1} of ${steps.length}: ${step.kind} broker ${step.broker} for ${step.forMs} ms`)
  }
  stop.abort()
  const sent = await feeding
  await untilAllHandled(members, sent)
  const deserted = await members.leaveAll()
  members.noteFaults()
  const run = { sent, topic: await idsInTopic(bootstrap, fed.topic), events: members.events(), faults: [] }
  tell(totals(run))
  return [...deserted, ...groupAnomalies({ ...run, stallMs })]
}

async function take({ kind, broker: number, forMs }: Step, servers: KafkaServers): Promise<void> {
  const { id } = servers.brokers[number]!
  if (kind === 'freeze') {
    servers.pause(id)
    await sleep(forMs)
    servers.resume(id)
  } else if (kind === 'kill') {
    await servers.kill(id)
    await sleep(forMs)
    await servers.restart(id)
  } else await servers.restart(id)
  // The replicas are to be in sync before the next one goes.
  await sleep(8_000)
}
