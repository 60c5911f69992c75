import type { OffsetPlace } from '@sluice/kafka'
import type { RegisterCommand } from '../../command.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { sizesOf, type SizedTopic } from '../../kafka/topics.ts'
import { counted } from '../../output/figures.ts'
import { type Plan, planned, type PlanFlags } from '../../output/plan.ts'
import { openLetters } from '../../records/letters.ts'
import { parseLetterPlace } from './show.ts'

interface PurgeFlags extends ConnectionFlags, PlanFlags {
  readonly upTo?: readonly { readonly partition: number; readonly offset: number }[]
}

export const registerPurge: RegisterCommand = (dlq, context) => {
  withConnectionOptions(
    dlq
      .command('purge')
      .description('Delete dead letters for good: shows the plan, and does it with --execute')
      .argument('<topic>', 'the topic that they are from, or that of the letters')
      .option(
        '--up-to <partition:offset>',
        'of this partition only letters before this offset; more than once for more (default: all letters)',
        (text: string, earlier: PurgeFlags['upTo']) => [...(earlier ?? []), parseLetterPlace(text)],
      )
      .option('--execute', 'do it')
      .option('--json', 'for programs: { plan, executed }'),
  ).action((source: string, flags: PurgeFlags) =>
    withKafka(context, flags, async (kafka) => {
      const letters = await openLetters(kafka, source)
      const [sized] = await sizesOf(kafka.admin(), [letters.topic])
      const ends = sized!.partitions.map(({ partition, end }) => ({ partition, offset: end }))
      const positions = (flags.upTo ?? ends).map((place) => ({ ...place, topic: letters.topic }))
      await planned(context.terminal, planOf(sized!, positions), flags, () => letters.purge(positions))
    }),
  )
}

function planOf({ name, partitions }: SizedTopic, positions: readonly OffsetPlace[]): Plan {
  const rows = positions.flatMap(({ partition, offset }) => {
    const found = partitions.find((one) => one.partition === partition)
    const letters = found === undefined ? 0 : Math.max(0, Math.min(offset, found.end) - found.start)
    return letters === 0 ? [] : { partition, before: offset, letters }
  })
  const total = rows.reduce((sum, { letters }) => sum + letters, 0)
  return {
    summary: `delete ${counted(total, 'letter')} of ${name}`,
    titles: ['PARTITION', 'BEFORE', 'LETTERS'],
    rows: rows.map(({ partition, before, letters }) => [partition, before, letters]),
    warnings: ['they cannot be brought back'],
    json: { topic: name, partitions: rows },
  }
}
