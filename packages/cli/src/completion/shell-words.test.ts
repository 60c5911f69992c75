import { expect, it } from 'vitest'
import { shellWords } from './shell-words.ts'

it.each([
  ['', ['']],
  ['sluice', ['sluice']],
  ['sluice ', ['sluice', '']],
  ['sluice  topics   li', ['sluice', 'topics', 'li']],
  ['sluice tail -b host:9092,other:9092 ', ['sluice', 'tail', '-b', 'host:9092,other:9092', '']],
  ['sluice tail t --format "{key} {value}" -', ['sluice', 'tail', 't', '--format', '{key} {value}', '-']],
  [`sluice tail t --grep 'it\\'`, ['sluice', 'tail', 't', '--grep', 'it\\']],
  ['sluice tail my\\ topic', ['sluice', 'tail', 'my topic']],
])('%j is cut as a shell cuts it', (line, words) => {
  expect(shellWords(line)).toEqual(words)
})
