import { systemClock, type Clock } from '@sluice/flow'
import { stackOf } from '@sluice/flow/internal'
import { type EventLog, factsOf, type LinesOf } from './lines.ts'
import type { LogFacts, Logger, LogLevel } from './logger.ts'

/** What a client logs. */
export interface LogLine {
  /** Lines of one kind are limited together, such as `deadLettered`. */
  readonly kind: string
  /** Its level, unless it may pass by itself. */
  readonly level: LogLevel
  readonly message: string
  /** Fields of the line, such as the group. */
  readonly facts: LogFacts
  /** Without a logger it becomes a process warning. */
  readonly warns: boolean
  /** It may pass by itself, as when a broker restarts: trouble only where lines of its kind go on for 5 s. */
  readonly isBrief?: boolean
}

/** Of one kind, with a logger: `warn` and `error` lines are at least this far apart. */
const LOG_EVERY_MS = 1_000
/** Without one, process warnings. */
const WARN_EVERY_MS = 60_000
/** The oldest is forgotten beyond: a process may make a consumer group for each of its users. */
const MOST_KINDS = 1_000

/** For so long what may pass by itself is no trouble yet. */
const BRIEF_MS = 5_000
/** After so long without a line of its kind it begins anew. */
const PAST_MS = 30_000

interface Kind {
  saidAtMs: number
  /** Lines that were left out since. */
  left: number
}

/**
 * Where a client says what happens: in the user's logger, or, where there is none, in process warnings of what would
 * otherwise pass unseen. Lines of trouble are limited for each kind, so that ten thousand failing records a second do not
 * become as many lines; the next line says how many were left out.
 */
export class Log {
  readonly #logger: Logger | undefined
  readonly #clock: Clock
  readonly #kinds = new Map<string, Kind>()
  /** When what may pass by itself began, and when it was last seen, by kind. */
  readonly #spells = new Map<string, { readonly startedMs: number; lastMs: number }>()

  constructor(logger?: Logger, clock: Clock = systemClock) {
    this.#logger = logger
    this.#clock = clock
  }

  /** Writes a line, unless lines of its kind are too frequent or nobody would see it. */
  write(line: LogLine): void {
    if (this.#logger === undefined && !line.warns) return
    const level = line.isBrief === true && !this.#hasLasted(line.kind) ? 'debug' : line.level
    const isTrouble = level === 'warn' || level === 'error'
    if (this.#logger === undefined && !isTrouble) return
    const left = isTrouble ? this.#admit(line.kind) : 0
    if (left === undefined) return
    if (this.#logger === undefined) warn(line, left)
    else call(this.#logger, { ...line, level }, left)
  }

  /** For an Emitter: logs each event as its line says. `facts` stand in each line, such as the group. */
  observer<Events extends Record<string, unknown>>(lines: LinesOf<Events>, facts: LogFacts): EventLog<Events> {
    const subject = Object.values(facts).join(' ')
    return (name, event, isHeard) => {
      const { level, say, warns: mayWarn = false, kind, isBrief } = lines[name]
      const warns = !isHeard && (typeof mayWarn === 'function' ? mayWarn(event) : mayWarn)
      // Nothing is put into words that nobody will read.
      if (this.#logger === undefined && !warns) return
      this.write({
        kind: [String(name), kind?.(event), subject].filter(Boolean).join(' '),
        level: typeof level === 'function' ? level(event) : level,
        message: say(event),
        facts: { event: name, ...facts, ...factsOf(event) },
        warns,
        isBrief: isBrief?.(event) ?? false,
      })
    }
  }

  #hasLasted(kind: string): boolean {
    const nowMs = this.#clock.monotonicMs()
    const spell = this.#spells.get(kind)
    if (spell === undefined || nowMs - spell.lastMs > PAST_MS) {
      keep(this.#spells, kind, { startedMs: nowMs, lastMs: nowMs })
      return false
    }
    spell.lastMs = nowMs
    return nowMs - spell.startedMs >= BRIEF_MS
  }

  /** How many lines of the kind were left out before this one; undefined: this one is left out too. */
  #admit(kind: string): number | undefined {
    const everyMs = this.#logger === undefined ? WARN_EVERY_MS : LOG_EVERY_MS
    const nowMs = this.#clock.monotonicMs()
    const known = this.#kinds.get(kind)
    if (known !== undefined && nowMs - known.saidAtMs < everyMs) {
      known.left++
      return undefined
    }
    keep(this.#kinds, kind, { saidAtMs: nowMs, left: 0 })
    return known?.left ?? 0
  }
}

function keep<Value>(map: Map<string, Value>, kind: string, value: Value): void {
  map.delete(kind)
  map.set(kind, value)
  if (map.size > MOST_KINDS) map.delete(map.keys().next().value!)
}

function warn({ kind, message, facts }: LogLine, left: number): void {
  const who = typeof facts['group'] === 'string' ? `group ${facts['group']}: ` : ''
  const more = left === 0 ? '' : ` (${left} more since the last warning of this kind)`
  process.emitWarning(who + message + more, { code: codeOf(kind) })
}

/** `deadLettered` becomes `SLUICE_DEAD_LETTERED`; what follows a space only tells kinds apart. */
function codeOf(kind: string): string {
  const [name] = kind.split(' ', 1)
  return `SLUICE_${name!.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

/** A logger that throws must not break what it is told of. */
function call(logger: Logger, { level, message, facts }: LogLine, left: number): void {
  try {
    logger[level](left === 0 ? facts : { ...facts, leftOut: left }, message)
  } catch (error) {
    process.emitWarning(`The logger failed: ${stackOf(error)}`, { code: 'SLUICE_LOGGER' })
  }
}
