import type { Admin, TransactionDescription } from '@sluice/kafka'
import { duration, repeated } from '../../arguments.ts'
import { UsageError } from '../../cli-error.ts'
import type { CommandContext, RegisterCommand } from '../../command.ts'
import { ExitCode } from '../../exit-codes.ts'
import { type ConnectionFlags, patienceOf, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { requireTopics } from '../../kafka/topics.ts'
import {
  ageOf,
  coordinatorsOf,
  openStates,
  openTransactionsIn,
  type OwnedTransaction,
  transactionJson,
} from '../../kafka/transactions.ts'
import { printable } from '../../output/printable.ts'
import { tableLines } from '../../output/table.ts'
import { belowTable, type Unknown, unknownLines } from '../../output/unknown.ts'
import { isoTime } from '../../records/record-text.ts'

interface ListFlags extends ConnectionFlags {
  readonly topic?: readonly string[]
  readonly all?: boolean
  readonly minAge?: number
  readonly json?: boolean
}

export const registerList: RegisterCommand = (transactions, context) => {
  withConnectionOptions(
    transactions
      .command('list')
      .description('Show open transactions; with --topic those that are open in its partitions, hanging ones too')
      .option('-t, --topic <topic>', 'what holds back readers of this topic; more than once for more', repeated)
      .option('--all', 'every transactional id, also where no transaction is open')
      .option('--min-age <duration>', 'only transactions that began at least so long ago, such as 5m', duration)
      .option(
        '--json',
        'for programs: [{ transactionalId, state, producerId, epoch, since, timeoutMs, coordinator, partitions }], or with --topic [{ topic, partition, startOffset, producerId, epoch, lastWrite, transactionalId, hanging }]',
      ),
  ).action((flags: ListFlags) => {
    if (flags.topic !== undefined && (flags.all || flags.minAge !== undefined)) {
      throw new UsageError('--topic excludes --all and --min-age', 'give --topic alone')
    }
    return withKafka(context, flags, (kafka) => {
      const admin = kafka.admin()
      return flags.topic === undefined ? listIds(context, admin, flags) : listOpen(context, admin, flags.topic, flags)
    })
  })
}

async function listIds(context: CommandContext, admin: Admin, { all, minAge, json }: ListFlags): Promise<void> {
  const filter = { states: all ? [] : openStates, ...(minAge !== undefined && { minAgeMs: minAge }) }
  const survey = await admin.surveyTransactions({ ...patienceOf(context), ...filter })
  const missing = survey.unknown.map(coordinatorsOf)
  const nowMs = Date.now()
  const rowOf = (one: TransactionDescription) => {
    const { transactionalId, state, producerId, epoch, partitions, coordinator } = one
    return [transactionalId, state, ageOf(one, nowMs), partitions.length, String(producerId), epoch, coordinator]
  }
  show(context, {
    json: json ? survey.transactions.map(transactionJson) : undefined,
    titles: ['TRANSACTIONAL ID', 'STATE', 'OPEN FOR', 'PARTITIONS', 'PRODUCER', 'EPOCH', 'COORDINATOR'],
    rows: survey.transactions.map(rowOf),
    none: all ? 'there are no transactional ids' : 'no transaction is open',
    missing,
    notes: [],
  })
}

async function listOpen(
  context: CommandContext,
  admin: Admin,
  topics: readonly string[],
  { json }: ListFlags,
): Promise<void> {
  await requireTopics(admin, topics)
  const { open, unknown } = await openTransactionsIn(admin, topics, patienceOf(context))
  show(context, {
    json: json ? open.map(openJson) : undefined,
    titles: ['TOPIC', 'PARTITION', 'START OFFSET', 'LAST WRITE', 'PRODUCER', 'EPOCH', 'TRANSACTIONAL ID'],
    rows: open.map(({ topic, partition, startOffset, lastTimestampMs, producerId, epoch, transactionalId }) => {
      const owner = transactionalId ?? (transactionalId === null ? 'none: it hangs' : null)
      return [topic, partition, startOffset, isoTime(lastTimestampMs), String(producerId), epoch, owner]
    }),
    none: `no transaction is open in ${topics.join(', ')}`,
    missing: unknown,
    notes: open.filter(({ transactionalId }) => transactionalId === null).map(hangingLine),
  })
}

function openJson({ topic, partition, startOffset, producerId, epoch, lastTimestampMs, ...one }: OwnedTransaction) {
  const { transactionalId } = one
  return {
    topic,
    partition,
    startOffset,
    producerId: Number(producerId),
    epoch,
    lastWrite: isoTime(lastTimestampMs),
    transactionalId: transactionalId ?? null,
    hanging: transactionalId === undefined ? null : transactionalId === null,
  }
}

function hangingLine({ topic, partition, startOffset }: OwnedTransaction): string {
  const abort = `sluice transactions abort --topic ${topic} --partition ${partition} --start-offset ${startOffset}`
  return printable(`no coordinator knows the transaction in ${topic}/${partition}, so it never ends: \`${abort}\``)
}

interface Shown {
  /** For programs, in the place of the table. */
  readonly json: unknown
  readonly titles: readonly string[]
  readonly rows: Parameters<typeof tableLines>[1]
  readonly none: string
  readonly missing: readonly Unknown[]
  readonly notes: readonly string[]
}

function show({ terminal, exitWith }: CommandContext, { json, titles, rows, none, missing, notes }: Shown): void {
  if (missing.length > 0) exitWith(ExitCode.incomplete)
  const below = [...notes, ...unknownLines(missing)]
  if (json !== undefined) {
    for (const line of unknownLines(missing)) terminal.note(line)
    return terminal.json(json)
  }
  if (rows.length > 0) terminal.lines(tableLines(titles, rows))
  else terminal.line(missing.length > 0 ? 'no transaction is known' : none)
  terminal.lines(belowTable(below))
}
