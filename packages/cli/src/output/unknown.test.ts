import { describe, expect, it } from 'vitest'
import { belowTable, unknownLines } from './unknown.ts'

const refused = (apiError: string): Error => Object.assign(new Error(`${apiError} (topic t)`), { apiError })
const silent = new Error('ListOffsets was not answered by b:9092 within 1000 ms')

describe('the lines of what is not known', () => {
  it('are one for each reason, with what it holds for', () => {
    const lines = unknownLines([
      { what: 'orders/0', error: refused('LEADER_NOT_AVAILABLE') },
      { what: 'orders/2', error: silent },
      { what: 'orders/1', error: refused('LEADER_NOT_AVAILABLE') },
      { what: 'hidden', error: refused('TOPIC_AUTHORIZATION_FAILED') },
    ])
    expect(lines).toEqual([
      'not known: orders/0, orders/1: no leader',
      'not known: orders/2: ListOffsets was not answered by b:9092 within 1000 ms',
      'not known: hidden: TOPIC_AUTHORIZATION_FAILED',
    ])
  })

  it('name some of many', () => {
    const many = Array.from({ length: 1_000 }, (_, n) => ({ what: `orders/${n}`, error: silent }))
    expect(unknownLines(many)).toEqual([
      expect.stringMatching(/^not known: orders\/0, .*orders\/7 and 992 more: ListOffsets/),
    ])
  })

  it('cannot command the terminal, whatever a group is called or a broker says', () => {
    const [line] = unknownLines([{ what: 'the group a\n\u001B[2J', error: new Error('x\u001B]0;y\u0007') }])
    expect(line).toBe('not known: the group a\\n\\e[2J: x\\e]0;y\\x07')
  })

  it('stand apart from the table above them, and are nothing where all is known', () => {
    expect(belowTable(unknownLines([]))).toEqual([])
    expect(belowTable(['a'])).toEqual(['', 'a'])
  })
})
