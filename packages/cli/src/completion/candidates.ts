import type { Argument, Command, Option } from 'commander'
import type { LazyCommands } from '../lazy-commands.ts'

/** What a word of the command line could be, and what it does. */
export interface Candidate {
  readonly text: string
  readonly description: string
}

/** A word that only Kafka knows. */
export type NameKind = 'topic' | 'group'

export interface Completion {
  readonly candidates: readonly Candidate[]
  /** What the word may also be: a name of this kind, of the Kafka that the command line names. */
  readonly names: { readonly kind: NameKind; readonly bootstrap: string | undefined } | undefined
}

/**
 * What the last of the words could become; all of them stand behind `sluice`. Where nothing is known, the shell offers
 * files.
 */
export async function complete(
  program: Command,
  commands: LazyCommands,
  words: readonly string[],
): Promise<Completion> {
  const typed = await read(program, commands, words.slice(0, -1))
  const word = words.at(-1) ?? ''
  const { candidates, kind } = wanted(typed, word)
  return {
    candidates: candidates.filter(({ text }) => text.startsWith(word)),
    names: kind && { kind, bootstrap: typed.bootstrap },
  }
}

/** The words before the one that is completed. */
interface Typed {
  readonly command: Command
  /** How many words there are that are neither a command nor an option. */
  readonly argumentCount: number
  /** The option whose value comes next. */
  readonly open: Option | undefined
  readonly given: ReadonlySet<Option>
  readonly bootstrap: string | undefined
}

async function read(program: Command, commands: LazyCommands, words: readonly string[]): Promise<Typed> {
  let command = program
  let argumentCount = 0
  let open: Option | undefined
  let bootstrap: string | undefined
  const given = new Set<Option>()
  for (const word of words) {
    if (open !== undefined) {
      if (open.long === '--bootstrap') bootstrap = word
      open = undefined
    } else if (word.startsWith('-')) {
      const option = command.options.find(({ short, long }) => word === short || word.split('=')[0] === long)
      if (option) given.add(option)
      if (option?.required && !word.includes('=')) open = option
    } else {
      // `help topics create` is about what `topics create` is.
      const next = command.commands.find((one) => one.name() === word && word !== 'help')
      if (next) {
        await commands.load(next)
        command = next
      } else if (word !== 'help' || command.commands.length === 0) argumentCount++
    }
  }
  return { command, argumentCount, open, given, bootstrap }
}

function wanted({ command, argumentCount, open, given }: Typed, word: string) {
  const none: readonly Candidate[] = []
  if (open !== undefined) return { candidates: choicesOf(open), kind: kindOf(open.long) }
  if (word.startsWith('-')) return { candidates: optionsOf(command, given), kind: undefined }
  if (command.commands.length > 0) {
    return { candidates: argumentCount === 0 ? subcommandsOf(command) : none, kind: undefined }
  }
  const argument = argumentAt(command, argumentCount)
  return argument
    ? { candidates: choicesOf(argument), kind: kindOf(`--${argument.name()}`) }
    : { candidates: none, kind: undefined }
}

function subcommandsOf(command: Command): readonly Candidate[] {
  return command.commands.map((one) => ({ text: one.name(), description: one.description() }))
}

/** An option that was given already is left out, unless it may be repeated. */
function optionsOf(command: Command, given: ReadonlySet<Option>): readonly Candidate[] {
  const own = command.options
    .filter((option) => !given.has(option) || option.description.includes('more than once'))
    .map(({ long, short, description }) => ({ text: long ?? short ?? '', description }))
  return [...own, { text: '--help', description: 'display help for command' }]
}

function choicesOf({ argChoices = [] }: Argument | Option): readonly Candidate[] {
  return argChoices.map((text) => ({ text, description: '' }))
}

/** The last one may stand for many. */
function argumentAt(command: Command, index: number): Argument | undefined {
  const all = command.registeredArguments
  return all[index] ?? (all.at(-1)?.variadic ? all.at(-1) : undefined)
}

function kindOf(flag: string | undefined): NameKind | undefined {
  return flag === '--topic' ? 'topic' : flag === '--group' ? 'group' : undefined
}
