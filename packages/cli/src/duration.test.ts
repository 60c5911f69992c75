import { describe, expect, it } from 'vitest'
import { clockText, parseDuration } from './duration.ts'

describe('durations', () => {
  it.each([
    ['60s', 60_000],
    ['60', 60_000],
    ['1.5m', 90_000],
    ['500ms', 500],
    ['2h', 7_200_000],
  ])('reads %s', (text, ms) => expect(parseDuration(text)).toBe(ms))

  it.each(['', '0s', '-1s', 's', '1d', '1 minute', '1e3', '9999h'])('refuses %j', (text) =>
    expect(parseDuration(text)).toBeUndefined(),
  )

  it('shows time as a clock', () => {
    expect(clockText(3_723_999)).toBe('01:02:03')
  })
})
