import { type Answer, answer, tableOf } from './outage/command.ts'
import { OutageCluster } from './outage/cluster.ts'
import { type Fault, faults } from './outage/faults.ts'
import { numberOptions } from './options.ts'
import type { Proof } from './proof.ts'

export const outage: Proof = {
  title:
    'the command line in an outage: answers in time, with what is known, the reasons for the rest and its exit code',
  usage: 'outage [--limit 3000], milliseconds that a command may take with its start',
  quick: [],
  async run(args, tell) {
    const { limit } = numberOptions(args, { limit: 3_000 })
    tell(`outage --limit ${limit}`)
    await using cluster = await OutageCluster.start()
    const answers: Answer[] = []
    for (const fault of faults) answers.push(...(await answersBeside(fault, cluster, limit)))
    for (const line of tableOf(answers)) tell(line)
    return answers.flatMap((one) => one.faults)
  },
}

async function answersBeside(fault: Fault, cluster: OutageCluster, limitMs: number): Promise<readonly Answer[]> {
  const { bootstrap = cluster.bootstrap, expectations, end } = await fault.begin(cluster)
  const answers: Answer[] = []
  try {
    // One after the other: each has the machine for itself.
    for (const one of expectations) answers.push(await answer(fault.name, bootstrap, one, limitMs))
  } finally {
    await end()
  }
  return answers
}
