import { PassThrough } from 'node:stream'
import type { WriteStream } from 'node:tty'
import type { Command } from 'commander'
import type { CommandContext } from '../command.ts'
import { patienceOf, withKafka } from '../kafka/open-kafka.ts'
import type { LazyCommands } from '../lazy-commands.ts'
import { printable } from '../output/printable.ts'
import { Terminal } from '../terminal.ts'
import { type Completion, complete } from './candidates.ts'
import { shellWords } from './shell-words.ts'

/**
 * Answers the scripts of `sluice completion`: a line for each word that would fit, a tab and what it does.
 * @param args the words behind `sluice`, or `--line` and the line as typed
 */
export async function answerShell(
  context: CommandContext,
  { program, commands }: { readonly program: Command; readonly commands: LazyCommands },
  args: readonly string[],
): Promise<void> {
  const words = args[0] === '--line' ? shellWords(args[1] ?? '').slice(1) : args
  const { candidates, names } = await complete(program, commands, words)
  const found = names ? await namesOf(context, names).catch(() => []) : []
  const word = words.at(-1) ?? ''
  for (const { text, description } of candidates) context.terminal.line(`${text}\t${printable(description)}`)
  for (const name of found) if (name.startsWith(word)) context.terminal.line(`${printable(name)}\t`)
}

/** Of the cluster; rejects where it does not answer. */
async function namesOf(
  context: CommandContext,
  { kind, bootstrap }: NonNullable<Completion['names']>,
): Promise<readonly string[]> {
  const nowhere = new PassThrough().resume() as unknown as WriteStream
  const quiet = { ...context, terminal: new Terminal(nowhere, nowhere) }
  return await withKafka(quiet, bootstrap === undefined ? {} : { bootstrap }, async (kafka) => {
    if (kind === 'topic') return await kafka.admin().listTopics()
    const { groups } = await kafka.admin().surveyGroupList(patienceOf(context))
    return groups.map(({ group }) => group)
  })
}
