import { InvalidArgumentError } from 'commander'
import { CliError } from '../../cli-error.ts'
import type { RegisterCommand } from '../../command.ts'
import { type ConnectionFlags, withConnectionOptions, withKafka } from '../../kafka/open-kafka.ts'
import { printable } from '../../output/printable.ts'
import { alignColumns } from '../../output/table.ts'
import { letterJson, openLetters, originOf, timeOf } from '../../records/letters.ts'
import { jsonRecord, shownBytes } from '../../records/record-text.ts'

interface ShowFlags extends ConnectionFlags {
  readonly json?: boolean
}

interface LetterPlace {
  readonly partition: number
  readonly offset: number
}

export const registerShow: RegisterCommand = (dlq, context) => {
  withConnectionOptions(
    dlq
      .command('show')
      .description('Show one dead letter: what is known of its failure, its headers, key and value')
      .argument('<topic>', 'the topic that it is from, or that of the letters')
      .argument('<letter>', 'partition:offset, as `dlq list` shows it', parseLetterPlace)
      .option('--json', 'for programs: { topic, partition, offset, failedAt, letter, record }'),
  ).action((name: string, { partition, offset }: LetterPlace, flags: ShowFlags) =>
    withKafka(context, flags, async (kafka) => {
      const letters = await openLetters(kafka, name)
      const place = { topic: letters.topic, partition, offset }
      for await (const found of letters.list({ from: { offsets: [place] } })) {
        if (found.record.offset !== offset) break
        const { letter, record } = found
        if (flags.json) return context.terminal.json({ ...letterJson(found), record: jsonRecord(record) })
        const facts: [string, string | null | undefined][] = [
          ['from', originOf(letter)],
          ['failed at', timeOf(letter)],
          ['group', letter?.group],
          ['attempts', letter && String(letter.attempts)],
          ['stage', letter?.stage],
          ['error', letter && `${letter.errorClass}: ${letter.errorMessage}`],
          ['outcome', letter?.outcome],
          ['replays', letter && String(letter.replays)],
          ['left out', letter?.omitted?.join(', ')],
          ['its value', letter?.valueBytes === undefined ? null : `${letter.valueBytes} bytes, at ${originOf(letter)}`],
          ['written by', letter?.source],
          ['key', shownBytes(record.key)],
          ['value', shownBytes(record.value)],
        ]
        const rows = facts.filter(([, value]) => value).map(([title, value]) => [title, printable(value!)])
        const headers = Array.from(record.headers, ([header, value]) => [`  ${printable(header)}`, shownBytes(value)])
        context.terminal.lines([...alignColumns(rows), 'headers', ...alignColumns(headers)])
        return
      }
      const range = `\`sluice dlq list ${name}\` shows which there are`
      throw new CliError('letter_unknown', `${letters.topic} has no letter ${partition}:${offset}`, range)
    }),
  )
}

export function parseLetterPlace(text: string): LetterPlace {
  const parts = /^(\d{1,9}):(\d{1,15})$/.exec(text)
  if (!parts) throw new InvalidArgumentError('expected partition:offset, such as 0:42')
  return { partition: Number(parts[1]), offset: Number(parts[2]) }
}
