import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { consumerLines } from '../packages/kafka/src/consumer/event-lines.ts'
import { producerLines } from '../packages/kafka/src/producer/event-lines.ts'
import { readerLines } from '../packages/kafka/src/reader/event-lines.ts'
import { transactionLines } from '../packages/kafka/src/pipe/event-lines.ts'
import { relayLines } from '../packages/postgres/src/outbox/event-lines.ts'
import { sinkLines } from '../packages/postgres/src/sink/event-lines.ts'

const page = readFileSync(new URL('../docs/logging.md', import.meta.url), 'utf8')

const sections = {
  'Consumer, pipe and sink': consumerLines,
  'Transactions of a pipe': transactionLines,
  Producer: producerLines,
  Reader: readerLines,
  'PostgreSQL sink': sinkLines,
  'Outbox relay': relayLines,
} as const

/** `| event | level | warning |`, without the head of the table. */
function rowsOf(section: string): (readonly [event: string, level: string, warning: string])[] {
  const text = page.split(/^### /m).find((part) => part.startsWith(`${section}\n`)) ?? ''
  const rows = text.split('\n').filter((line) => line.startsWith('| `'))
  return rows.map(
    (row) =>
      row
        .split('|')
        .slice(1, 4)
        .map((cell) => cell.trim()) as [string, string, string],
  )
}

const codeOf = (event: string): string => `SLUICE_${event.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`

describe.each(Object.entries(sections))('docs/logging.md, %s', (section, lines) => {
  test('has a row for each event, with its level and its warning', () => {
    const rows = rowsOf(section)
    expect(rows.map(([event]) => event)).toEqual(Object.keys(lines).map((event) => `\`${event}\``))
    for (const [[, level, warning], [event, line]] of rows.map(
      (row, at) => [row, Object.entries(lines)[at]!] as const,
    )) {
      if (typeof line.level === 'string') expect([event, level]).toEqual([event, line.level])
      else expect(level).toMatch(/else|for/)
      const { warns = false } = line as { readonly warns?: unknown }
      if (warns === false) expect([event, warning]).toEqual([event, 'no'])
      else if (warns === true) expect([event, warning]).toEqual([event, `\`${codeOf(event)}\``])
      else expect(warning).toMatch(new RegExp(`^\`${codeOf(event)}\` \\w`))
    }
  })
})
