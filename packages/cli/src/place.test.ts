import { describe, expect, it } from 'vitest'
import { parsePlace } from './place.ts'

const nowMs = new Date('2026-11-26T14:00').getTime()

describe('a place in a partition', () => {
  it.each([
    ['earliest', { at: 'earliest' }],
    ['Beginning', { at: 'earliest' }],
    ['end', { at: 'latest' }],
    ['1200', { at: 'offset', offset: 1_200 }],
    ['-100', { at: 'last', count: 100 }],
    ['15m', { at: 'time', timestampMs: nowMs - 900_000 }],
    ['2h ago', { at: 'time', timestampMs: nowMs - 7_200_000 }],
    ['10:30', { at: 'time', timestampMs: new Date('2026-11-26T10:30').getTime() }],
    ['9:05:07', { at: 'time', timestampMs: new Date('2026-11-26T09:05:07').getTime() }],
    ['2026-11-25', { at: 'time', timestampMs: new Date('2026-11-25T00:00').getTime() }],
    ['2026-11-25T10:00Z', { at: 'time', timestampMs: Date.UTC(2026, 10, 25, 10) }],
    ['2026-11-25T10:00:00.250+09:00', { at: 'time', timestampMs: Date.UTC(2026, 10, 25, 1, 0, 0, 250) }],
    ['@1764115200000', { at: 'time', timestampMs: 1_764_115_200_000 }],
  ])('%s', (text, place) => {
    expect(parsePlace(text, nowMs)).toEqual(place)
  })

  it.each([
    '',
    'yesterday',
    '1.5',
    '--5',
    '2026-13-01',
    '25:99',
    '12345678901234567',
    '2026-11-25T',
    '@x',
    '9'.repeat(400),
    // What every object has, and no place is.
    'constructor',
    '__proto__',
  ])('%s is refused with what is allowed', (text) => {
    expect(() => parsePlace(text, nowMs)).toThrow(/earliest, latest, an offset, or a time/)
  })
})
