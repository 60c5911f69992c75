import { partitionList } from '../../arguments.ts'
import { UsageError } from '../../cli-error.ts'
import type { RegisterCommand } from '../../command.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { requirePartitions } from '../../kafka/topics.ts'
import { planTrim, type Trimming } from '../../kafka/trim-plan.ts'
import { counted } from '../../output/figures.ts'
import { type Plan, planned, type PlanFlags } from '../../output/plan.ts'
import { parsePlace, placeHelp, type Place } from '../../place.ts'

interface TrimFlags extends ConnectionFlags, PlanFlags {
  readonly before: Place
  readonly partitions?: readonly number[]
}

export const registerTrim: RegisterCommand = (topics, context) => {
  withConnectionOptions(
    topics
      .command('trim')
      .description('Delete the oldest records of a topic: shows the plan, and does it with --execute')
      .argument('<topic>')
      .requiredOption('--before <place>', `${placeHelp}; -100 keeps the last hundred`, (text) => parsePlace(text))
      .option('-p, --partitions <list>', 'only these, such as 0,2-5', partitionList)
      .option('--execute', 'do it')
      .option(
        '--json',
        'for programs: { plan: { topic, partitions: [{ partition, start, before, records }] }, executed }',
      )
      .addHelpText(
        'after',
        `
Examples:
  sluice topics trim orders --before 2026-11-26           what is older than that day
  sluice topics trim orders --before 4200 -p 0 --execute   of partition 0 what is before offset 4200
  sluice topics trim orders --before latest                all records`,
      ),
  ).action((topic: string, flags: TrimFlags) => {
    const { before, partitions } = flags
    if (before.at === 'earliest') {
      throw new UsageError('nothing comes before `earliest`', 'give an offset, a time, or `latest` for all records')
    }
    return withKafka(context, flags, async (kafka) => {
      const admin = kafka.admin()
      await requirePartitions(admin, topic, partitions)
      const trimmed = await planTrim(admin, topic, partitions, before)
      const places = trimmed.map(({ partition, before: offset }) => ({ topic, partition, offset }))
      await planned(context.terminal, planOf(topic, trimmed), flags, async () => {
        if (places.length > 0) await admin.deleteRecords(places)
      })
    })
  })
}

function planOf(topic: string, trimmed: readonly Trimming[]): Plan {
  const records = trimmed.reduce((sum, one) => sum + one.records, 0)
  return {
    summary: `delete ${counted(records, 'record')} of ${topic}`,
    titles: ['PARTITION', 'START', 'NEW START', 'RECORDS'],
    rows: trimmed.map((one) => [one.partition, one.start, one.before, one.records]),
    warnings: ['the records cannot be brought back, and a group that has not read them never will'],
    json: { topic, partitions: trimmed },
  }
}
