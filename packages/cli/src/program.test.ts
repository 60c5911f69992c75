import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { ExitCode } from './exit-codes.ts'
import { createProgram, run } from './program.ts'
import { captureTerminal } from './testing/capture-terminal.ts'

/** Of the local servers docs/local-stack.md tells. */
const elsewhere = ['up', 'down', 'status', 'logs', 'doctor', 'demo']

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
    expect([out(), err()]).toEqual(['', expect.stringMatching(/unknown command 'lst'[^]*Did you mean list/)])
    expect(await run(['--help'], {}, other)).toBe(ExitCode.ok)
    expect(out()).toMatch(/^Usage: sluice/)
  })
})
