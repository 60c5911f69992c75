import { describe, expect, it } from 'vitest'
import { assignment, duration, partitionList, wholeNumber } from './arguments.ts'

describe('an argument', () => {
  it('of partitions is a list with ranges, sorted, each once', () => {
    expect(partitionList('5,0-2, 1')).toEqual([0, 1, 2, 5])
    for (const wrong of ['', 'a', '3-1', '1-', '-1', '100000', '1,,2']) {
      expect(() => partitionList(wrong), wrong).toThrow(/such as 0,2,5-7/)
    }
  })

  it('of a name and a value may have = in the value, and the last one wins', () => {
    expect([...assignment('a=1=2', assignment('a=0', assignment('b=')))]).toEqual([
      ['b', ''],
      ['a', '1=2'],
    ])
    for (const wrong of ['', 'a', '=1']) expect(() => assignment(wrong)).toThrow('name=value')
  })

  it('of a number or a duration says what is allowed', () => {
    expect(wholeNumber(1, 5)('5')).toBe(5)
    for (const wrong of ['0', '6', '1.5', '1e3', '-1', ''])
      expect(() => wholeNumber(1, 5)(wrong)).toThrow('from 1 to 5')
    expect(duration('2s')).toBe(2_000)
    expect(() => duration('soon')).toThrow('such as 60s')
  })
})
