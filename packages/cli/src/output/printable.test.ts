import { describe, expect, it } from 'vitest'
import { printable, printableLines, safeJson } from './printable.ts'

describe('text from elsewhere', () => {
  it('is shown as it is, in any script', () => {
    for (const text of ['plain', 'größer', '주문 완료', '🚀 ok', '']) expect(printable(text)).toBe(text)
  })

  it('cannot command the terminal: what it might obey is written out', () => {
    expect(printable('a\nb\tc\r\0')).toBe('a\\nb\\tc\\r\\0')
    expect(printable('\u001B[31mred\u001B]0;title\u0007')).toBe('\\e[31mred\\e]0;title\\x07')
    expect(printable('\u009B31m')).toBe('\\x9b31m')
    expect(printable('\u202Etxt.exe\u2066')).toBe('\\u202etxt.exe\\u2066')
    expect(printable('\u2028')).toBe('\\u2028')
  })

  it('keeps its lines and tabs where it is a log, and commands the terminal as little', () => {
    const log = 'group g\u001B]0;PWNED\u0007\u001B[2J\n\tat kafka\r\nend\u009B2J\n'
    expect(printableLines(log)).toBe('group g\\e]0;PWNED\\x07\\e[2J\n\tat kafka\nend\\x9b2J\n')
    expect(printableLines('plain\n\ttext\n')).toBe('plain\n\ttext\n')
  })

  it('reads back from JSON as it was, and does not command the terminal there either', () => {
    const value = { text: 'a\n\u009B31m\u001B[0m\u202E"주문' }
    for (const json of [safeJson(value), safeJson(value, 2)]) {
      expect(JSON.parse(json)).toEqual(value)
      expect(json.replaceAll('\n', '')).toMatch(/^[^\p{Cc}\u202E]*$/u)
    }
  })
})
