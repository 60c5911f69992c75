import type { TransactionDescription } from '@sluice/kafka'
import type { RegisterCommand } from '../../command.ts'
import { clockText } from '../../duration.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { ageOf, describeTransactions, transactionJson } from '../../kafka/transactions.ts'
import { printable } from '../../output/printable.ts'
import { alignColumns, tableLines } from '../../output/table.ts'
import { isoTime } from '../../records/record-text.ts'

export const registerDescribe: RegisterCommand = (transactions, context) => {
  withConnectionOptions(
    transactions
      .command('describe')
      .description(
        'Show the latest transaction of transactional ids, and the partitions that an open one has written to',
      )
      .argument('<transactional-id...>')
      .option(
        '--json',
        'for programs: [{ transactionalId, state, producerId, epoch, since, timeoutMs, coordinator, partitions }]',
      ),
  ).action((ids: string[], flags: ConnectionFlags & { readonly json?: boolean }) =>
    withKafka(context, flags, async (kafka) => {
      const described = await describeTransactions(kafka.admin(), [...new Set(ids)])
      if (flags.json) return context.terminal.json(described.map(transactionJson))
      for (const [index, one] of described.entries()) {
        if (index > 0) context.terminal.line()
        context.terminal.lines(describeLines(one, Date.now()))
      }
    }),
  )
}

function describeLines(one: TransactionDescription, nowMs: number): string[] {
  const { transactionalId, state, startTimeMs, timeoutMs, producerId, epoch, coordinator, partitions } = one
  const facts: [string, string | null][] = [
    ['open since', startTimeMs === null ? null : `${isoTime(startTimeMs)}, for ${ageOf(one, nowMs)}`],
    ['aborted after', clockText(timeoutMs)],
    ['producer', `${producerId}, epoch ${epoch}`],
    ['coordinator', `broker ${coordinator}`],
  ]
  const rows = facts.filter(([, value]) => value !== null).map(([title, value]) => [title, value!])
  const places = partitions.map(({ topic, partition }) => [topic, partition])
  return [
    printable(`${transactionalId}: ${state}`),
    ...alignColumns(rows),
    ...(places.length === 0 ? [] : ['', ...tableLines(['TOPIC', 'PARTITION'], places)]),
  ]
}
