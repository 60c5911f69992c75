import { expect, it } from 'vitest'
import { createProgram } from '../program.ts'
import { captureTerminal } from '../testing/capture-terminal.ts'
import { complete } from './candidates.ts'

async function completed(...words: readonly string[]) {
  const { terminal } = captureTerminal()
  const { program, commands } = createProgram({ terminal, env: {}, exitWith: () => undefined })
  const { candidates, names } = await complete(program, commands, words)
  return { texts: candidates.map(({ text }) => text), candidates, names }
}

it('completes commands, subcommands and those of help', async () => {
  expect((await completed('t')).texts).toEqual(['topics', 'tail', 'transactions'])
  expect((await completed('topics', '')).texts).toEqual(expect.arrayContaining(['list', 'create', 'trim']))
  expect((await completed('help', 'topics', 'cr')).texts).toEqual(['create'])
  expect((await completed('topics', 'de')).texts).toEqual(['describe', 'delete'])
  expect((await completed('')).candidates).toContainEqual({ text: 'down', description: expect.stringMatching(/^Stop/) })
})

it('completes the options of a command, and each once unless it may be repeated', async () => {
  expect((await completed('tail', 'orders', '--f')).texts).toEqual(['--from', '--follow', '--format'])
  expect((await completed('tail', 'orders', '-f', '--f')).texts).toEqual(['--from', '--format'])
  expect((await completed('tail', '--header', 'a=b', '--he')).texts).toEqual(['--header', '--help'])
})

it('completes what an argument can be', async () => {
  expect((await completed('completion', '')).texts).toEqual(['bash', 'zsh', 'fish'])
  expect((await completed('completion', 'bash', '')).texts).toEqual([])
})

it.each([
  [['tail', ''], 'topic'],
  [['tail', '--grep', 'x', 'or'], 'topic'],
  [['topics', 'describe', 'a', 'b', ''], 'topic'],
  [['groups', 'describe', ''], 'group'],
  [['groups', 'reset', 'g', '--topic', ''], 'topic'],
  [['lag', ''], 'group'],
  [['dlq', 'list', '--group', ''], 'group'],
])('knows that Kafka has the names for %j', async (words, kind) => {
  expect((await completed(...words)).names).toEqual({ kind, bootstrap: undefined })
})

it.each([
  [['tail', 'orders', '']],
  [['tail', '--grep', '']],
  [['produce', 'orders', '--file', '']],
  [['nonsense', '']],
])('leaves %j to the shell', async (words) => {
  const { texts, names } = await completed(...words)
  expect([texts, names]).toEqual([[], undefined])
})

it('asks the Kafka that the line names', async () => {
  expect((await completed('tail', '-b', 'host:9092', '')).names).toEqual({ kind: 'topic', bootstrap: 'host:9092' })
})
