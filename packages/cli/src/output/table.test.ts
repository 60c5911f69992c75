import { describe, expect, it } from 'vitest'
import { alignColumns, cutTo, tableLines } from './table.ts'

describe('a table', () => {
  it('aligns text to the left and numbers to the right, with thousands separators', () => {
    const lines = tableLines(
      ['TOPIC', 'RECORDS', 'NOTE'],
      [
        ['orders', 1_234_567, null],
        ['a', 5, 'x'],
      ],
    )
    expect(lines).toEqual(['TOPIC     RECORDS  NOTE', 'orders  1,234,567  -', 'a               5  x'])
  })

  it('counts no escape sequence of ours, and leaves no trailing spaces', () => {
    const rows = [
      ['NAME', 'PID', ''],
      ['\u001B[1mkafka-1\u001B[0m', '12345', ''],
    ]
    expect(alignColumns(rows)).toEqual(['NAME     PID', '\u001B[1mkafka-1\u001B[0m  12345'])
  })

  it('counts wide characters as the two columns that they take', () => {
    expect(
      tableLines(
        ['KEY', 'N'],
        [
          ['주문', 1],
          ['ab', 2],
          ['🚀', 3],
        ],
      ),
    ).toEqual(['KEY   N', '주문  1', 'ab    2', '🚀    3'])
  })

  it('shows no control character of a cell', () => {
    expect(tableLines(['KEY'], [['a\u001B[2Jb\n']])).toEqual(['KEY', 'a\\e[2Jb\\n'])
  })

  it('is nothing but its heading without rows', () => {
    expect(tableLines(['A', 'B'], [])).toEqual(['A  B'])
  })
})

describe('a line cut to the screen', () => {
  it('is never wider than asked for, and keeps characters whole', () => {
    expect(cutTo('plain text', 5)).toBe('plain')
    expect(cutTo('주문 완료', 5)).toBe('주문 ')
    expect(cutTo('주문', 3)).toBe('주')
    expect(cutTo('e\u0301e\u0301', 1)).toBe('e\u0301')
  })
})
