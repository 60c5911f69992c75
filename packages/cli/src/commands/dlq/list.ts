import type { DeadLetter, FoundLetter, Kafka } from '@sluice/kafka'
import { wholeNumber } from '../../arguments.ts'
import type { CommandContext, RegisterCommand } from '../../command.ts'
import { ExitCode } from '../../exit-codes.ts'
import { type ConnectionFlags, patienceOf, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { recordsCell, surveyTopics } from '../../kafka/topics.ts'
import { counted } from '../../output/figures.ts'
import { cutTo, tableLines } from '../../output/table.ts'
import { belowTable, unknownLines } from '../../output/unknown.ts'
import {
  type LetterFlags,
  letterJson,
  letterMatcher,
  openLetters,
  originOf,
  timeOf,
  withLetterOptions,
} from '../../records/letters.ts'
import type { Terminal } from '../../terminal.ts'

interface ListFlags extends ConnectionFlags, LetterFlags {
  readonly limit: number
  readonly json?: boolean
}

const screenMessageColumns = 60

export const registerList: RegisterCommand = (dlq, context) => {
  withConnectionOptions(
    withLetterOptions(
      dlq
        .command('list')
        .description('Show which topics have dead letters; of one topic, its letters, the oldest first')
        .argument('[topic]', 'the topic that they are from, or that of the letters'),
    )
      .option('-l, --limit <count>', 'stop after N letters', wholeNumber(1, 1e9), 100)
      .option('--json', 'for programs: [{ topic, letters }], or [{ topic, partition, offset, failedAt, letter }]'),
  ).action((name: string | undefined, flags: ListFlags) =>
    withKafka(context, flags, (kafka) =>
      name === undefined ? listTopics(context, kafka, flags) : listLetters(context, kafka, name, flags),
    ),
  )
}

async function listTopics(
  { terminal, env, exitWith }: CommandContext,
  kafka: Kafka,
  { json }: ListFlags,
): Promise<void> {
  const { topics, unknown } = await surveyTopics(kafka.admin(), null, patienceOf({ env }))
  const { isDeadLetterTopic } = await import('@sluice/kafka')
  const sized = topics.filter(({ name }) => isDeadLetterTopic(name))
  const missing = [...sized.flatMap((topic) => topic.unknown), ...unknown.filter(({ what }) => isDeadLetterTopic(what))]
  if (missing.length > 0) exitWith(ExitCode.incomplete)
  if (json) {
    for (const line of unknownLines(missing)) terminal.note(line)
    return terminal.json(sized.map(({ name, records }) => ({ topic: name, letters: records })))
  }
  if (sized.length === 0) return terminal.line('there are no dead letters')
  terminal.lines(
    tableLines(
      ['TOPIC', 'LETTERS'],
      sized.map((topic) => [topic.name, recordsCell(topic)]),
    ),
  )
  terminal.lines(belowTable(unknownLines(missing)))
}

async function listLetters(
  { terminal }: CommandContext,
  kafka: Kafka,
  name: string,
  { limit, json, ...filter }: ListFlags,
): Promise<void> {
  const letters = await openLetters(kafka, name)
  const found: FoundLetter[] = []
  for await (const one of letters.list({ where: letterMatcher(filter) })) {
    found.push(one)
    if (found.length === limit) break
  }
  if (json) return terminal.json(found.map(letterJson))
  if (found.length === 0) return terminal.line(`no letter in ${letters.topic} matches`)
  terminal.lines(
    tableLines(
      ['LETTER', 'FAILED AT', 'FROM', 'GROUP', 'ATTEMPTS', 'STAGE', 'ERROR'],
      found.map(({ record: { partition, offset }, letter }) => [
        `${partition}:${offset}`,
        timeOf(letter),
        originOf(letter),
        letter?.group,
        letter?.attempts,
        letter?.stage,
        letter && errorOf(letter, terminal),
      ]),
    ),
  )
  terminal.note(
    found.length === limit
      ? `the first ${counted(limit, 'letter')}: --limit for more`
      : counted(found.length, 'letter'),
  )
}

/** Cut where somebody looks at it, never in a pipe. */
function errorOf({ errorClass, errorMessage }: DeadLetter, { isScreen }: Terminal): string {
  const text = `${errorClass}: ${errorMessage}`
  return isScreen ? cutTo(text, screenMessageColumns) : text
}
