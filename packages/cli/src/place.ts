import { InvalidArgumentError } from 'commander'
import { parseDuration } from './duration.ts'

/** A place in a partition, as a user names it. */
export type Place =
  | { readonly at: 'earliest' | 'latest' }
  | { readonly at: 'offset'; readonly offset: number }
  | { readonly at: 'time'; readonly timestampMs: number }
  /** So many offsets before the end. */
  | { readonly at: 'last'; readonly count: number }

const words: ReadonlyMap<string, Place> = new Map([
  ['earliest', { at: 'earliest' }],
  ['beginning', { at: 'earliest' }],
  ['latest', { at: 'latest' }],
  ['end', { at: 'latest' }],
])

export const placeHelp = 'earliest, latest, an offset, or a time: 2026-11-26T10:30, 10:30 (today), 15m (ago), @<ms>'

/**
 * `earliest`, `latest`, an offset, `-100` (the last hundred), a time, or how long ago.
 * @param nowMs since the epoch
 */
export function parsePlace(text: string, nowMs = Date.now()): Place {
  const word = words.get(text.toLowerCase())
  if (word) return word
  if (/^\d{1,15}$/.test(text)) return { at: 'offset', offset: Number(text) }
  if (/^-\d{1,9}$/.test(text)) return { at: 'last', count: Number(text.slice(1)) }
  const timestampMs = parseTime(text, nowMs)
  if (timestampMs !== undefined && timestampMs >= 0) return { at: 'time', timestampMs }
  throw new InvalidArgumentError(`expected one of ${placeHelp}`)
}

function parseTime(text: string, nowMs: number): number | undefined {
  const ago = /^(\d+(?:\.\d+)?(?:ms|s|m|h))(?: ago)?$/.exec(text)
  if (ago) {
    const agoMs = parseDuration(ago[1]!)
    return agoMs === undefined ? undefined : nowMs - agoMs
  }
  if (/^@\d{1,15}$/.test(text)) return Number(text.slice(1))
  if (/^\d{1,2}:\d{2}(:\d{2})?$/.test(text)) return ofDate(`${dayOf(nowMs)}T${text.replace(/^\d:/, '0$&')}`)
  // A day alone is UTC to `Date`: here it is meant where the user is, as every time without a zone.
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return ofDate(`${text}T00:00`)
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/.test(text) ? ofDate(text) : undefined
}

function ofDate(text: string): number | undefined {
  const ms = new Date(text).getTime()
  return Number.isNaN(ms) ? undefined : ms
}

function dayOf(nowMs: number): string {
  const now = new Date(nowMs)
  const two = (part: number): string => String(part).padStart(2, '0')
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`
}
