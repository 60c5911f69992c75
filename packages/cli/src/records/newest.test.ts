import { describe, expect, it } from 'vitest'
import { Newest } from './newest.ts'

const entry = (timestampMs: number, partition = 0, offset = 0) => ({
  timestampMs,
  partition,
  offset,
  text: `${timestampMs}:${partition}/${offset}`,
})

describe('the newest of many', () => {
  it('are kept by their time, the oldest of them first', () => {
    const newest = new Newest(3)
    for (const timestampMs of [5, 1, 9, 7, 3, 8, 2]) newest.add(entry(timestampMs))
    expect(newest.texts()).toEqual(['7:0/0', '8:0/0', '9:0/0'])
  })

  it('keep the order of a partition where times are the same', () => {
    const newest = new Newest(10)
    for (const [partition, offset] of [
      [1, 0],
      [0, 0],
      [0, 1],
      [1, 1],
    ] as const)
      newest.add(entry(5, partition, offset))
    expect(newest.texts()).toEqual(['5:0/0', '5:0/1', '5:1/0', '5:1/1'])
  })

  it('are none where none are asked for', () => {
    const newest = new Newest(0)
    newest.add(entry(1))
    expect(newest.texts()).toEqual([])
  })
})
