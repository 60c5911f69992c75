import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { ExitCode } from './exit-codes.ts'
import { createProgram, run } from './program.ts'
import { captureTerminal } from './testing/capture-terminal.ts'

/** The local servers are described in docs/local-stack.md; the last two need no Kafka. */
const elsewhere = ['up', 'down', 'status', 'logs', 'doctor', 'demo', 'help', 'completion']

function leaves(command: Command, path: readonly string[] = []): { path: readonly string[]; command: Command }[] {
  if (command.commands.length === 0) return [{ path, command }]
  return command.commands.flatMap((sub) => leaves(sub, [...path, sub.name()]))
}

describe('the program', async () => {
  const { terminal } = captureTerminal()
  const { program, commands: lazy } = createProgram({ terminal, env: {}, exitWith: () => undefined })
  await lazy.loadAll()
  const commands = leaves(program).filter(({ path }) => !elsewhere.includes(path[0]!))

  it('has the commands and the options that its page tells of, and no others', () => {
    const page = readFileSync(new URL('../../../docs/command-line.md', import.meta.url), 'utf8')
    const options = new Set(commands.flatMap(({ command }) => command.options.map(({ long }) => long!)))
    for (const option of options) expect(page, option).toContain(option)
    for (const { path } of commands) expect(page).toContain(`sluice ${path.join(' ')}`)
    const own = page.slice(page.indexOf('## The commands'), page.indexOf('## For programs'))
    const told = [...own.matchAll(/--[a-z][a-z-]+/g)].map(([option]) => option)
    expect(told.filter((option) => !options.has(option))).toEqual([])
  })

  it('lets every command of Kafka say where it is, and every one that shows something be read by programs', () => {
    for (const { path, command } of commands) {
      const long = command.options.map((option) => option.long)
      expect(long, path.join(' ')).toEqual(expect.arrayContaining(['--bootstrap', '--json']))
    }
  })

  it('says what is wrong with a command line, and ends with the code for that', async () => {
    const { terminal: other, err, out } = captureTerminal()
    expect(await run(['topics', 'lst'], {}, other)).toBe(ExitCode.usage)
    expect([out(), err()]).toEqual([
      '',
      expect.stringMatching(/^sluice: usage: unknown command 'lst' - did you mean list\? `sluice topics --help` .*\n$/),
    ])
    expect(await run(['--help'], {}, other)).toBe(ExitCode.ok)
    expect(out()).toMatch(/^Usage: sluice/)
  })

  it.each([
    [['tail'], "missing required argument 'topic'"],
    [['tail', 'a', 'b'], "too many arguments for 'tail'. Expected 1 argument but got 2: a, b"],
    [['tail', 'a', '--form', 'x'], "unknown option '--form' - did you mean --from? `sluice tail --help`"],
    [['tail', 'a', '-n', 'x'], "option '-n, --newest <count>' argument 'x' is invalid: expected a whole number"],
    [
      ['dlq', 'show', 'a', 'x'],
      "command-argument value 'x' is invalid for argument 'letter': expected partition:offset",
    ],
    [['groups', 'reset', 'g', '--to', 'latest'], 'exactly one of --topic and --all-topics is required'],
    [['help', 'topics', 'lst'], "unknown command 'lst' - did you mean list? choose one of list, describe"],
    [['help', 'tail', 'x'], "unknown command 'x' - tail has no subcommands"],
  ])('says in one line what is wrong with %j, and ends with code 2', async (args, said) => {
    const { terminal: other, err, out } = captureTerminal()
    expect(await run(args, {}, other)).toBe(ExitCode.usage)
    const text = err()
    expect([out(), text.split('\n').length]).toEqual(['', 2])
    expect(text).toContain(`sluice: usage: ${said}`)
  })

  it('shows the help of a subcommand too', async () => {
    const { terminal: other, out } = captureTerminal()
    expect(await run(['help', 'topics', 'create'], {}, other)).toBe(ExitCode.ok)
    expect(out()).toMatch(/^Usage: sluice topics create \[options\] <topic>/)
    expect(await run(['help', 'lag'], {}, other)).toBe(ExitCode.ok)
    expect(out()).toMatch(/^Usage: sluice lag [^]*--fail-above/)
    expect(await run(['help'], {}, other)).toBe(ExitCode.ok)
    expect(out()).toMatch(/^Usage: sluice \[/)
  })
})
