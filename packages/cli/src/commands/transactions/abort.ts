import type { Admin } from '@sluice/kafka'
import { wholeNumber } from '../../arguments.ts'
import { CliError, UsageError } from '../../cli-error.ts'
import type { CommandContext, RegisterCommand } from '../../command.ts'
import { type ConnectionFlags, patienceOf, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { requirePartitions } from '../../kafka/topics.ts'
import { ageOf, describeTransactions, openTransactionsIn, transactionJson } from '../../kafka/transactions.ts'
import { planned, type PlanFlags } from '../../output/plan.ts'
import { isoTime } from '../../records/record-text.ts'

interface AbortFlags extends ConnectionFlags, PlanFlags {
  readonly topic?: string
  readonly partition?: number
  readonly startOffset?: number
}

/** A transaction that no coordinator knows, by where it begins. */
interface HangingPlace {
  readonly topic: string
  readonly partition: number
  readonly startOffset: number
}

export const registerAbort: RegisterCommand = (transactions, context) => {
  withConnectionOptions(
    transactions
      .command('abort')
      .description('Abort an open transaction: shows the plan, and does it with --execute')
      .argument('[transactional-id]', 'its producer is fenced')
      .option('-t, --topic <topic>', 'a hanging transaction, which no coordinator knows, in a partition of this topic')
      .option('-p, --partition <number>', 'with --topic', wholeNumber(0, 99_999))
      .option('--start-offset <offset>', 'with --topic: where it begins, as `list --topic` shows', wholeNumber(0, 1e15))
      .option('--execute', 'do it')
      .option('--json', 'for programs: { plan, executed }')
      .addHelpText(
        'after',
        `
Examples:
  sluice transactions list --topic orders                  what holds back readers of orders
  sluice transactions abort billing-1 --execute            ends it and fences its producer
  sluice transactions abort -t orders -p 0 --start-offset 42 --execute   ends a hanging one`,
      ),
  ).action((transactionalId: string | undefined, flags: AbortFlags) => {
    const place = placeOf(transactionalId, flags)
    return withKafka(context, flags, (kafka) =>
      place === undefined
        ? abortOwned(context, kafka.admin(), transactionalId!, flags)
        : abortHanging(context, kafka.admin(), place, flags),
    )
  })
}

function placeOf(transactionalId: string | undefined, flags: AbortFlags): HangingPlace | undefined {
  const { topic, partition, startOffset } = flags
  const given = [topic, partition, startOffset].filter((one) => one !== undefined).length
  if (transactionalId !== undefined && given === 0) return undefined
  if (transactionalId === undefined && topic !== undefined && partition !== undefined && startOffset !== undefined) {
    return { topic, partition, startOffset }
  }
  throw new UsageError(
    'what to abort is not clear',
    'give a transactional id, or all of --topic, --partition and --start-offset',
  )
}

/** As the start of a next producer of the id would: its coordinator aborts, and refuses the former producer from then on. */
async function abortOwned(context: CommandContext, admin: Admin, id: string, flags: AbortFlags): Promise<void> {
  const [transaction] = await describeTransactions(admin, [id])
  const { state, partitions } = transaction!
  if (state !== 'Ongoing') {
    const remedy = state.startsWith('Prepare')
      ? 'its outcome is decided, and its coordinator is writing it: look again in a moment'
      : '`sluice transactions list` shows open transactions'
    throw new CliError('transaction_not_open', `no transaction of ${id} is open: it is ${state}`, remedy)
  }
  const plan = {
    summary: `abort the transaction of ${id}, open for ${ageOf(transaction!, Date.now())}`,
    titles: ['TOPIC', 'PARTITION'],
    rows: partitions.map(({ topic, partition }) => [topic, partition]),
    warnings: [
      'readers of committed records never see what it has written, and its offsets are not committed',
      'its producer is fenced: it fails, if it still runs, and has to be started again',
    ],
    json: transactionJson(transaction!),
  }
  await planned(context.terminal, plan, flags, () => admin.fenceProducer(id))
}

async function abortHanging(
  context: CommandContext,
  admin: Admin,
  { topic, partition, startOffset }: HangingPlace,
  flags: AbortFlags,
): Promise<void> {
  await requirePartitions(admin, topic, [partition])
  const { open, unknown } = await openTransactionsIn(admin, [topic], patienceOf(context))
  const found = open.find((one) => one.partition === partition && one.startOffset === startOffset)
  if (!found) {
    const what = `no open transaction begins at ${topic}/${partition} at ${startOffset}`
    throw new CliError(
      'transaction_unknown',
      what,
      `\`sluice transactions list --topic ${topic}\` shows which there are`,
    )
  }
  // Without its coordinator's knowledge, an abort here could tear apart a transaction that is committed elsewhere.
  if (found.transactionalId !== null) {
    const owner = found.transactionalId
    throw new CliError(
      'transaction_not_hanging',
      owner === undefined
        ? `it is not known whether a coordinator has this transaction: ${unknown[0]?.what ?? 'some'} did not answer`
        : `${owner} has this transaction: it does not hang`,
      owner === undefined
        ? 'try again when all brokers answer'
        : `\`sluice transactions abort ${owner}\` ends it whole`,
    )
  }
  const { producerId, epoch, lastTimestampMs } = found
  const place = { topic, partition, startOffset, producerId: Number(producerId), epoch }
  const plan = {
    summary: `abort the hanging transaction in ${topic}/${partition}`,
    titles: ['TOPIC', 'PARTITION', 'START OFFSET', 'LAST WRITE', 'PRODUCER', 'EPOCH'],
    rows: [[topic, partition, startOffset, isoTime(lastTimestampMs), String(producerId), epoch]],
    warnings: ['readers of committed records never see what it has written'],
    json: place,
  }
  await planned(context.terminal, plan, flags, () => admin.abortHangingTransaction({ topic, partition, startOffset }))
}
