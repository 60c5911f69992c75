import { fileURLToPath } from 'node:url'
import { text, topic } from '@sluice/kafka'
import { Child, fromSource, run } from '../../system/support/child.ts'
import { until } from '../../system/support/until.ts'
import { lostHost, type OutageCluster, perPartition, sick } from './cluster.ts'
import type { Expectation } from './command.ts'

/** A fault of the cluster, and what the commands have to come to beside it. */
export interface Fault {
  readonly name: string
  /** Makes the cluster sick. Returns what has to hold now, and what makes it well again. */
  begin(cluster: OutageCluster): Promise<{
    readonly bootstrap?: string
    readonly expectations: readonly Expectation[]
    readonly end: () => Promise<void>
  }>
}

const incomplete = 4

/** What holds beside a broker that is the only replica of some partitions, for one reason or another. */
async function besides(cluster: OutageCluster, reason: RegExp, leader: RegExp): Promise<readonly Expectation[]> {
  const lost = await cluster.partitionsOf(sick)
  const known = [0, 1, 2, 3, 4, 5].filter((partition) => !lost.includes(partition))
  const other = await cluster.groupBeside(sick)
  const ofLost = lost.map((partition) => new RegExp(`orders/${partition}\\b`))
  return [
    {
      args: ['topics', 'list'],
      code: incomplete,
      shows: [/^ok +1 +3 +10$/m, /^orders +6 +1 +>= 40$/m],
      says: [reason],
    },
    {
      args: ['topics', 'describe', 'orders'],
      code: incomplete,
      shows: [
        /at least 40 records/,
        ...known.map((partition) => new RegExp(`^ +${partition} .* 10 +10$`, 'm')),
        ...lost.map((partition) => new RegExp(`^ +${partition} +${leader.source} .* - +- +-$`, 'm')),
      ],
      says: [reason, ...ofLost],
    },
    {
      args: ['groups', 'describe', other],
      code: incomplete,
      shows: [/at least 34 behind/, ...known.map((n) => new RegExp(`^orders +${n} +3 +10 +7`, 'm'))],
      says: [reason, ...ofLost],
    },
    { args: ['lag'], code: incomplete, shows: [new RegExp(`^${other} +Empty +0 +>= 34$`, 'm')], says: [reason] },
    { args: ['lag', other], code: incomplete, shows: [/at least 34 records behind/], says: [reason, ...ofLost] },
    { args: ['lag', '--fail-above', '1000'], code: incomplete, shows: [/>= 34/], says: [reason] },
    {
      args: ['lag', '--fail-above', '5'],
      code: 3,
      shows: [/>= 34/],
      says: [/at least 34 records behind, more than 5/],
    },
    {
      args: ['tail', 'orders', '--from', 'earliest'],
      code: incomplete,
      shows: known.map((partition) => new RegExp(`^${partition}/9 `, 'm')),
      says: [reason, ...ofLost],
    },
  ]
}

const leaderless: Fault = {
  name: 'no leader',
  async begin(cluster) {
    await cluster.servers.stop(sick)
    return {
      expectations: await besides(cluster, /no leader/, /no leader/),
      // The last fault: a broker with so long a session would be taken for a second one of its id.
      end: () => Promise.resolve(),
    }
  },
}

const frozen: Fault = {
  name: 'frozen broker',
  async begin(cluster) {
    const own = await cluster.groupAt(sick)
    const reason = new RegExp(`not answer|was not answered|did not accept`)
    const expectations = await besides(cluster, reason, /3/)
    cluster.servers.pause(sick)
    return {
      expectations: [
        ...expectations,
        {
          args: ['groups', 'list'],
          code: incomplete,
          shows: [/^readers-\d+ +Empty/m],
          says: [/the groups of broker 3/],
        },
        { args: ['groups', 'describe', own], code: incomplete, shows: [/not known/], says: [reason] },
        { args: ['lag', own, '--fail-above', '1000'], code: incomplete, shows: [/not known/], says: [reason] },
        { args: ['dlq', 'list'], code: 0, shows: [/there are no dead letters/] },
      ],
      end: async () => {
        cluster.servers.resume(sick)
        await cluster.heal()
      },
    }
  },
}

const unresolvable: Fault = {
  name: 'lost address',
  begin(cluster) {
    const says = [new RegExp(lostHost.replaceAll('.', '\\.')), /advertised\.listeners/]
    return Promise.resolve({
      bootstrap: cluster.lostBootstrap,
      expectations: [
        { args: ['topics', 'list'], code: incomplete, shows: [/^ok +1 +3 +-$/m, /^orders +6 +1 +-$/m], says },
        { args: ['topics', 'describe', 'ok'], code: incomplete, shows: [/^ +0 +[123] .* - +- +-$/m], says },
        { args: ['groups', 'list'], code: incomplete, shows: [/no group is known/], says },
        { args: ['groups', 'describe', 'readers-0'], code: incomplete, shows: [/not known/], says },
        { args: ['lag'], code: incomplete, shows: [/no group is known/], says },
        { args: ['lag', 'readers-0'], code: incomplete, shows: [/not known/], says },
        { args: ['lag', '--fail-above', '1000'], code: incomplete, shows: [], says },
        { args: ['tail', 'ok'], code: incomplete, shows: [], says },
      ],
      end: () => Promise.resolve(),
    })
  },
}

const deletedTopic: Fault = {
  name: 'deleted topic',
  async begin(cluster) {
    const program = fileURLToPath(new URL('../../../bench/src/programs/classic-member.ts', import.meta.url))
    const [node, args] = fromSource(program, [cluster.bootstrap, 'foreign', 'stays', 'goes'])
    const member = new Child(node, args, { env: { NODE_OPTIONS: '--disable-warning=TimeoutNegativeWarning' } })
    await member.line((line) => line === 'assigned')
    // It does not notice what happens from now on, as some clients do not for minutes.
    member.process.kill('SIGSTOP')
    const admin = cluster.kafka.admin()
    await admin.deleteTopics(['goes'])
    const says = [/goes was deleted and has no lag/]
    return {
      expectations: [
        { args: ['topics', 'list'], code: 0, shows: [/^stays +1 +3 +10$/m] },
        { args: ['groups', 'describe', 'foreign'], code: 0, shows: [/^foreign: Stable, 1 member/, /^stays +0/m], says },
        { args: ['lag'], code: 0, shows: [/^foreign +Stable +1 /m, /^readers-0 +Empty/m], says },
        { args: ['lag', 'foreign'], code: 0, shows: [/^stays +0/m], says },
        { args: ['lag', '--fail-above', '1000'], code: 0, shows: [/^foreign +Stable +1 /m], says },
      ],
      end: async () => {
        await member.kill()
      },
    }
  },
}

const hangingTransaction: Fault = {
  name: 'hanging transaction',
  async begin(cluster) {
    const { kafka, bootstrap } = cluster
    const admin = kafka.admin()
    await admin.alterOffsets('held-readers', [{ topic: 'held', partition: 0, offset: 0 }])
    const program = fileURLToPath(new URL('../programs/hanging-transaction.ts', import.meta.url))
    await run(...fromSource(program, [bootstrap, 'held'])).catch(() => undefined)
    await using producer = await kafka.producer()
    const target = topic('held', { value: text })
    await Promise.all(Array.from({ length: perPartition * 5 }, (_, n) => producer.send(target, { value: `${n}` })))
    await until(async () => (await admin.offsets(['held']))[0]!.offset === 51)
    const says = [/HELD: an open transaction holds records of held\/0 back/]
    return {
      expectations: [
        { args: ['topics', 'list'], code: 0, shows: [/^held +1 +3 +51$/m] },
        { args: ['topics', 'describe', 'held'], code: 0, shows: [/held: 1 partition, 51 records/] },
        { args: ['groups', 'describe', 'held-readers'], code: 0, shows: [/^held +0 +0 +51 +51 +51 /m], says },
        { args: ['lag', 'held-readers'], code: 0, shows: [/^held +0 +0 +51 +51 +51 /m], says },
        { args: ['lag', '--fail-above', '50'], code: 3, shows: [/^held-readers +Empty +0 +51$/m] },
        { args: ['tail', 'held'], code: 0, shows: [], says: [/holds 51 records back; --uncommitted shows them/] },
        { args: ['tail', 'held', '--uncommitted', '-n', '100'], code: 0, shows: [/ held back( |$)/m, / 49( |$)/m] },
      ],
      end: () => Promise.resolve(),
    }
  },
}

/** In this order: what follows a broker that is stopped finds no partition that it leads. */
export const faults: readonly Fault[] = [frozen, unresolvable, deletedTopic, hangingTransaction, leaderless]
