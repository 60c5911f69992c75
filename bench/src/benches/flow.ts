import { count, option } from '../bench.ts'
import { flowJobs } from '../flow/jobs.ts'
import { inProcess } from '../in-process.ts'
import type { FlowJob, FlowMeasured } from '../programs/flow.ts'
import { median, publish, round } from '../report.ts'
import type { Row } from '../report.ts'

export const title = 'the parts of the flow package beside others that do the same'

export const options = {
  items: option('200000', 'items at a time; a measurement does so many again and again for a second'),
  rounds: option('5', 'measurements of each, in turns; the median counts'),
}

export async function run(args: Readonly<Record<string, string>>): Promise<void> {
  const items = count(args, 'items')
  const rounds = count(args, 'rounds')
  const jobs = Object.entries(flowJobs).flatMap(([kind, ways]) =>
    Object.keys(ways).map((way) => ({ kind, way, items })),
  )
  const measured = new Map<string, FlowMeasured[]>(jobs.map(({ way }) => [way, []]))
  for (let round = 1; round <= rounds; round++) {
    console.log(`round ${round} of ${rounds}`)
    for (const job of jobs) {
      measured
        .get(job.way)!
        .push(await inProcess<FlowMeasured>('flow.ts', job satisfies FlowJob, { timeoutMs: 120_000 }))
    }
  }
  publish({
    name: 'flow',
    parameters: { items, rounds },
    tables: Object.fromEntries(
      Object.entries(flowJobs).map(([kind, ways]) => [kind, rows(Object.keys(ways), measured)]),
    ),
    details: Object.fromEntries(measured),
  })
}

/** The first way of each job is ours: the others stand beside it. */
function rows(ways: readonly string[], measured: ReadonlyMap<string, readonly FlowMeasured[]>): readonly Row[] {
  const middle = (way: string, of: keyof FlowMeasured): number => median(measured.get(way)!.map((each) => each[of]))
  const [ours] = ways
  return ways.map((way) => ({
    way,
    'items/s': round(middle(way, 'itemsPerSecond')),
    'CPU us/item': round(middle(way, 'cpuUsPerItem')),
    'bytes/item': round(middle(way, 'bytesPerItem')),
    'ours is x times': way === ours ? null : round(middle(ours!, 'itemsPerSecond') / middle(way, 'itemsPerSecond')),
  }))
}
