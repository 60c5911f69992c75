import { messageOf } from '../thrown.ts'
import { systemClock } from '../clock.ts'
import type { Clock, Timer } from '../clock.ts'
import { Emitter } from '../emitter.ts'
import { ConfigError } from '../errors.ts'
import { requireFunction, requireNumber } from '../require.ts'

/** What is measured, and when it is pressure. */
export interface PressureCondition {
  /** The value as of now. */
  readonly read: () => number
  /** Pressure from here on: above it, or below it where `offAt` is above. */
  readonly onAt: number
  /** No pressure from here back; between the two nothing changes. */
  readonly offAt: number
}

/** What a pressure sensor takes. */
export interface PressureSensorOptions<Name extends string> {
  /** What is looked at, by name. */
  readonly conditions: Readonly<Record<Name, PressureCondition>>
  /** A condition begins, and ends, to count once it has been so for this long. From 0. Default 5,000. */
  readonly holdMs?: number
  /** Time between looks. From 1. Default 1,000. */
  readonly intervalMs?: number
  readonly clock?: Clock
}

/** A condition began or ended to count. */
export interface PressureChange<Name extends string> {
  /** Its name. */
  readonly condition: Name
  /** It counts now. */
  readonly active: boolean
  readonly value: number
}

/** A condition as it was when looked at last. */
export interface ConditionState {
  /** At the last look; NaN: none yet, or it could not be read. */
  readonly value: number
  /** It counts: it has held for `holdMs`. */
  readonly active: boolean
}

interface Watched<Name extends string> extends PressureCondition {
  readonly name: Name
  value: number
  active: boolean
  /** Since when the value asks for the other state. */
  sinceMs: number | undefined
}

/** Readings with usual levels of pressure; leave out what does not apply. */
export interface StandardReadings {
  /** Free slots of whoever works: pressure below 2. The normal state of a busy consumer. */
  readonly slots?: () => number
  /** Mean handling time in milliseconds: pressure above 5,000. */
  readonly handlingTime?: () => number
  /** 0..1, see `memorySensor`: pressure above 0.8. */
  readonly memory?: () => number
  /** 0..1, see `cpuSensor`: pressure above 0.9. */
  readonly cpu?: () => number
  /** 0..1, see `eventLoopSensor`: pressure above 0.9. */
  readonly eventLoop?: () => number
}

const standardLevels: Readonly<Record<keyof StandardReadings, Omit<PressureCondition, 'read'>>> = {
  slots: { onAt: 2, offAt: 3 },
  handlingTime: { onAt: 5_000, offAt: 4_000 },
  memory: { onAt: 0.8, offAt: 0.75 },
  cpu: { onAt: 0.9, offAt: 0.8 },
  eventLoop: { onAt: 0.9, offAt: 0.8 },
}

/** Makes conditions of readings. */
export function standardConditions<R extends StandardReadings>(
  readings: R,
): Record<keyof R & keyof StandardReadings, PressureCondition> {
  const entries = Object.entries(readings).filter(([, read]) => read !== undefined)
  return Object.fromEntries(
    entries.map(([name, read]) => [name, { read, ...standardLevels[name as keyof StandardReadings] }]),
  ) as Record<keyof R & keyof StandardReadings, PressureCondition>
}

/**
 * Looks at a few conditions and names those that hold. A spike is no pressure: a condition must last `holdMs`, and must
 * be gone as long to be gone.
 */
export class PressureSensor<Name extends string> implements Disposable {
  readonly #clock: Clock
  readonly #holdMs: number
  readonly #intervalMs: number
  readonly #watched: readonly Watched<Name>[]
  readonly #emitter = new Emitter<{ change: PressureChange<Name> }>()
  #timer: Timer | undefined

  constructor({ conditions, holdMs = 5_000, intervalMs = 1_000, clock = systemClock }: PressureSensorOptions<Name>) {
    this.#clock = clock
    this.#holdMs = requireNumber('holdMs', holdMs, { min: 0 })
    this.#intervalMs = requireNumber('intervalMs', intervalMs, { min: 1 })
    this.#watched = (Object.keys(conditions) as Name[]).map((name) => watch(name, conditions[name]))
  }

  /** The names of the conditions that count now. */
  get active(): readonly Name[] {
    return this.#watched.filter(({ active }) => active).map(({ name }) => name)
  }

  /** Returns the function that takes the listener off again. */
  on(name: 'change', listener: (change: PressureChange<Name>) => void): () => void {
    return this.#emitter.on(name, listener)
  }

  /** Looks every `intervalMs` until `close`. Idempotent. */
  start(): void {
    if (this.#timer) return
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined
      this.start()
      this.look()
    }, this.#intervalMs)
  }

  /** Looks once, now. */
  look(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const condition of this.#watched) this.#judge(condition, nowMs)
  }

  inspect(): Readonly<Record<Name, ConditionState>> {
    return Object.fromEntries(this.#watched.map(({ name, value, active }) => [name, { value, active }])) as Record<
      Name,
      ConditionState
    >
  }

  /** Stops looking. */
  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #judge(condition: Watched<Name>, nowMs: number): void {
    condition.value = readSafely(condition)
    if (!asksForChange(condition)) {
      condition.sinceMs = undefined
      return
    }
    condition.sinceMs ??= nowMs
    if (nowMs - condition.sinceMs < this.#holdMs) return
    condition.sinceMs = undefined
    condition.active = !condition.active
    const { name, active, value } = condition
    this.#emitter.emit('change', { condition: name, active, value })
  }
}

function watch<Name extends string>(name: Name, { read, onAt, offAt }: PressureCondition): Watched<Name> {
  requireFunction(`${name}.read`, read)
  requireNumber(`${name}.onAt`, onAt)
  requireNumber(`${name}.offAt`, offAt)
  if (onAt === offAt) throw new ConfigError(`${name}.offAt`, offAt, 'another than onAt')
  return { name, read, onAt, offAt, value: Number.NaN, active: false, sinceMs: undefined }
}

/** Strictly past `onAt` is pressure; at `offAt` or past it is none. What cannot be read is none either. */
function asksForChange({ value, active, onAt, offAt }: Watched<string>): boolean {
  if (Number.isNaN(value)) return active
  const isHighBad = onAt > offAt
  if (active) return isHighBad ? value <= offAt : value >= offAt
  return isHighBad ? value > onAt : value < onAt
}

function readSafely({ name, read }: Watched<string>): number {
  try {
    return read()
  } catch (error) {
    process.emitWarning(`The reading of "${name}" failed: ${messageOf(error)}`, { code: 'SLUICE_SENSOR' })
    return Number.NaN
  }
}
